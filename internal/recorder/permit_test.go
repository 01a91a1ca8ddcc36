package recorder

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

func TestZeroPermitGrantsNothing(t *testing.T) {
	t.Parallel()
	if _, err := (Permit{}).Evidence(); !errors.Is(err, ErrNotPermitted) {
		t.Fatalf("got %v", err)
	}
	if (Permit{}).Live() {
		t.Fatal("the zero permit is live")
	}
}

// TestMintChecks: each case breaks exactly one of mint's demands, so that
// removing any of its checks fails here.
func TestMintChecks(t *testing.T) {
	t.Parallel()
	good := announcement{call: "c", status: StatusRecording, context: "c/1/recording"}
	op := Operation{ID: "op", Context: good.context, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}
	ok := Receipt{HTTPStatus: 200}
	if p, err := mint(good, ok, op); err != nil || !p.Live() {
		t.Fatalf("the good case: %v, %v", p, err)
	}
	for name, breakIt := range map[string]func(*announcement, *Receipt, *Operation){
		"no call":              func(a *announcement, _ *Receipt, _ *Operation) { a.call = "" },
		"announced the end":    func(a *announcement, _ *Receipt, _ *Operation) { a.status = StatusNotRecording },
		"announced a failure":  func(a *announcement, _ *Receipt, _ *Operation) { a.status = StatusFailed },
		"no status":            func(a *announcement, _ *Receipt, _ *Operation) { a.status = 0 },
		"another context":      func(_ *announcement, _ *Receipt, o *Operation) { o.Context = "c/2/recording" },
		"no context":           func(a *announcement, _ *Receipt, o *Operation) { a.context, o.Context = "", "" },
		"running":              func(_ *announcement, _ *Receipt, o *Operation) { o.Progress = Running },
		"failed":               func(_ *announcement, _ *Receipt, o *Operation) { o.Progress = Failed },
		"no progress":          func(_ *announcement, _ *Receipt, o *Operation) { o.Progress = 0 },
		"completed with a 500": func(_ *announcement, r *Receipt, _ *Operation) { r.HTTPStatus = 500 },
		"completed, no reply":  func(_ *announcement, r *Receipt, _ *Operation) { r.HTTPStatus = 0 },
	} {
		a, r, o := good, ok, op
		breakIt(&a, &r, &o)
		if p, err := mint(a, r, o); !errors.Is(err, ErrNotPermitted) || p.Live() {
			t.Errorf("%s: minted %v, %v", name, p, err)
		}
	}
}

func TestWithdrawingOneCopyWithdrawsAll(t *testing.T) {
	t.Parallel()
	p, err := mint(announcement{"c", StatusRecording, "x"}, Receipt{HTTPStatus: 200}, Operation{Context: "x", Progress: Completed})
	if err != nil {
		t.Fatal(err)
	}
	q := p
	p.withdraw()
	p.withdraw()
	if q.Live() {
		t.Fatal("the copy is live")
	}
	if _, err := q.Evidence(); !errors.Is(err, ErrNotPermitted) {
		t.Fatal(err)
	}
	if q.call() != "c" {
		t.Fatal("a seal order must know its call after the withdrawal")
	}
}

// TestForgeryDoesNotCompile type-checks programs of another package that try
// to make a permit or to tamper with one.
func TestForgeryDoesNotCompile(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	src := importer.ForCompiler(fset, "source", nil)
	check := func(expr string) error {
		code := "package p\nimport \"github.com/recorderbot/recorderbot/internal/recorder\"\nvar pm recorder.Permit\nvar order recorder.SealOrder\nvar _ = " + expr + "\n"
		f, err := parser.ParseFile(fset, "p.go", code, 0)
		if err != nil {
			t.Fatal(err)
		}
		conf := types.Config{Importer: src}
		_, err = conf.Check("github.com/recorderbot/recorderbot/internal/media/p", fset, []*ast.File{f}, nil)
		return err
	}
	if err := check("pm.Live()"); err != nil {
		t.Fatalf("honest use does not compile: %v", err)
	}
	for expr, want := range map[string]string{
		`recorder.Permit{nil}`:    "unexported field",
		`recorder.Permit{g: nil}`: "unexported field g",
		`recorder.mint(nil, recorder.Receipt{}, recorder.Operation{})`: "mint",
		`recorder.Permit("c")`:           "cannot convert",
		`pm.withdraw`:                    "withdraw",
		`pm.g`:                           "g",
		`recorder.SealOrder{permit: pm}`: "unexported field permit",
		`order.permit`:                   "permit",
		`recorder.grant{}`:               "grant",
		`recorder.OpenMedia{recorder.Permit{nil}}`:  "unexported field",
		`recorder.Announce{}.announcement`:          "announcement",
		`recorder.SealMedia{permit: pm}`:            "unexported field permit",
		`(*recorder.Registry)(nil).calls`:           "calls",
		`recorder.Evidence(recorder.Permit{}.g, 1)`: "g",
	} {
		err := check(expr)
		switch {
		case err == nil:
			t.Errorf("%s compiles", expr)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// TestPermitSaysWhatItIsWorth: in logs and in tests; and nothing that a zero permit
// is asked to do does harm.
func TestPermitSaysWhatItIsWorth(t *testing.T) {
	t.Parallel()
	a := announcement{"c", StatusRecording, "c/1/recording"}
	p, err := mint(a, Receipt{HTTPStatus: 200}, testOperation(a.context, Completed))
	if err != nil {
		t.Fatal(err)
	}
	live := p.String()
	p.withdraw()
	Permit{}.withdraw()
	if call := (SealOrder{}).Call(); call != "" {
		t.Errorf("an order without a permit seals %q", call)
	}
	if got := [3]string{live, p.String(), Permit{}.String()}; got != [3]string{"permit(live)", "permit(withdrawn)", "permit(none)"} {
		t.Error(got)
	}
}
