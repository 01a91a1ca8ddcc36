package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// A mutant is one change to one guard.
type mutant struct {
	id       int
	pos      token.Position // file relative to the root
	function string         // for example session.shut
	guard    string         // its text; " #2" for the second such in the function
	mutation string         // true, false, dropped, or what stands in its place
	sampled  bool
	long     bool // nothing for the short run
}

// name is how equivalent.txt names a mutant: no line numbers, which change.
func (m mutant) name() string {
	return m.pos.Filename + " " + m.function + ": " + m.guard + " => " + m.mutation
}

// A source is one file with its guards and the edits that put its mutants in.
type source struct {
	path    string // relative to the root
	pkg     string
	text    []byte
	file    *token.File
	edits   []edit
	mutants []mutant
	guards  int

	number   func() int // gives the next mutant its number
	function string
	scope    scope
	seen     map[string]int    // texts of guards in this function
	done     map[ast.Expr]bool // conditions and operands that have their mutants
}

// parseSource reads a file and finds its guards.
func parseSource(path string, sc scope, number func() int, text []byte) (*source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	s := &source{path: path, text: text, file: fset.File(f.Pos()), pkg: f.Name.Name, number: number, scope: sc, done: map[ast.Expr]bool{}}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		s.function = functionName(fn)
		if fn.Name.Name == "String" || sc.funcs != nil && !sc.funcs.MatchString(s.function) {
			continue // words for people are no guards
		}
		s.seen = map[string]int{}
		ast.Inspect(fn.Body, s.visit)
	}
	return s, nil
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + fn.Name.Name
	}
	return "?." + fn.Name.Name
}

func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ForStmt:
		ast.Inspect(n.Body, s.visit)
		return false // a loop's end is no guard
	case *ast.IfStmt:
		if n.Else == nil && s.decidesNothing(n.Body.List) {
			return false
		}
		s.condition(n.Cond, true, true)
	case *ast.SwitchStmt:
		s.valueSwitch(n)
	case *ast.TypeSwitchStmt:
		s.typeSwitch(n)
	case *ast.BlockStmt:
		s.list(n.List)
	case *ast.CaseClause:
		s.list(n.Body)
	case *ast.CommClause:
		s.list(n.Body)
	case *ast.BinaryExpr:
		s.binary(n)
	case *ast.CompositeLit:
		s.elements(n)
	case *ast.CallExpr:
		s.clamp(n)
	}
	return true
}

// add makes a mutant, and returns its number.
func (s *source) add(at ast.Node, text, mutation string) int {
	id := s.number()
	s.mutants = append(s.mutants, mutant{
		id: id, function: s.function, guard: text, mutation: mutation, sampled: s.scope.sampled,
		long: s.scope.brief != nil && !s.scope.brief.MatchString(s.function),
		pos:  token.Position{Filename: s.path, Line: s.file.Line(at.Pos()), Column: s.file.Position(at.Pos()).Column},
	})
	return id
}

// guardText names a guard in its function: its text, to the end of the first line.
func (s *source) guardText(prefix string, n ast.Node) string {
	s.guards++
	line, _, more := strings.Cut(s.code(n), "\n")
	text := prefix + strings.Join(strings.Fields(line), " ")
	if more {
		text += " …"
	}
	s.seen[text]++
	if k := s.seen[text]; k > 1 {
		text += fmt.Sprintf(" #%d", k)
	}
	return text
}

func (s *source) code(n ast.Node) string { return string(s.text[s.offset(n.Pos()):s.offset(n.End())]) }

func (s *source) offset(p token.Pos) int { return s.file.Offset(p) }

// condition lets a guard be true, or false, or both. Operands of && and || come to
// binary.
func (s *source) condition(e ast.Expr, toTrue, toFalse bool) {
	text := s.guardText("", e)
	t, f := 0, 0
	if toTrue {
		t = s.add(e, text, "true")
	}
	if toFalse {
		f = s.add(e, text, "false")
	}
	s.wrap(e, fmt.Sprintf("mutantBool(%d, %d, ", t, f), ")")
	s.done[e] = true
}

// binary takes one operand out of && or ||, and moves the bounds of comparisons.
func (s *source) binary(b *ast.BinaryExpr) {
	switch b.Op {
	case token.LAND:
		s.operand(b.X, token.LAND)
		s.operand(b.Y, token.LAND)
	case token.LOR:
		s.operand(b.X, token.LOR)
		s.operand(b.Y, token.LOR)
	case token.EQL, token.NEQ:
		s.alone(b)
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		s.alone(b)
		s.bound(b)
	default:
	}
}

// operand removes x from a chain of the same operator. What is such a chain itself is
// left to its parts.
func (s *source) operand(x ast.Expr, op token.Token) {
	if inner, ok := ast.Unparen(x).(*ast.BinaryExpr); ok && inner.Op == op {
		return
	}
	s.condition(x, op == token.LAND, op == token.LOR)
}

// alone is a comparison that is no operand and no condition: it is returned, or kept.
func (s *source) alone(b *ast.BinaryExpr) {
	if !s.done[b] {
		s.condition(b, true, true)
	}
}

// bound moves a comparison's bound by one.
func (s *source) bound(b *ast.BinaryExpr) {
	other := map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR}[b.Op]
	text := s.guardText("bound of ", b)
	id := s.add(b, text, other.String())
	name := map[token.Token]string{token.LSS: "Less", token.LEQ: "AtMost", token.GTR: "More", token.GEQ: "AtLeast"}[b.Op]
	s.wrap(b, fmt.Sprintf("mutant%s(%d, ", name, id), ")")
	s.replace(b.X.End(), b.Y.Pos(), ", ")
}

// clamp lets min and max return one of their operands.
func (s *source) clamp(c *ast.CallExpr) {
	name, ok := c.Fun.(*ast.Ident)
	if !ok || len(c.Args) != 2 || name.Name != "min" && name.Name != "max" {
		return
	}
	text := s.guardText("", c)
	a := s.add(c, text, "the first")
	b := s.add(c, text, "the second")
	s.replace(c.Fun.Pos(), c.Lparen+1, fmt.Sprintf("mutant%s(%d, %d, ", map[string]string{"min": "Min", "max": "Max"}[name.Name], a, b))
}

// elements leaves commands and timers out of their lists.
func (s *source) elements(c *ast.CompositeLit) {
	t, ok := c.Type.(*ast.ArrayType)
	if !ok || len(c.Elts) == 0 {
		return
	}
	if elt, ok := t.Elt.(*ast.Ident); !ok || elt.Name != "Command" && elt.Name != "Timer" {
		return
	}
	first := 0
	for i, e := range c.Elts {
		id := s.add(e, s.guardText("in a list: ", e), "dropped")
		if i == 0 {
			first = id
		}
	}
	s.wrap(c, fmt.Sprintf("mutantList(%d, ", first), ")")
}

// notGuards are calls that decide nothing: logs, notes, metrics and locks.
var notGuards = regexp.MustCompile(`(^|\.)(log|metrics|mu)\.|\.(note|complain)$`)

// list leaves single statements out.
func (s *source) list(all []ast.Stmt) {
	for _, one := range all {
		switch st := one.(type) {
		case *ast.ExprStmt:
			if call, ok := st.X.(*ast.CallExpr); !ok || notGuards.MatchString(s.code(call.Fun)) {
				continue
			}
		case *ast.AssignStmt:
			if st.Tok == token.DEFINE || isBlank(st) {
				continue
			}
		case *ast.IncDecStmt:
		default:
			continue
		}
		id := s.add(one, s.guardText("", one), "dropped")
		s.wrap(one, fmt.Sprintf("if !mutantIs(%d) { ", id), " }")
	}
}

// decidesNothing reports that a body only logs or counts.
func (s *source) decidesNothing(body []ast.Stmt) bool {
	for _, one := range body {
		st, ok := one.(*ast.ExprStmt)
		if !ok {
			return false
		}
		if call, ok := st.X.(*ast.CallExpr); !ok || !notGuards.MatchString(s.code(call.Fun)) {
			return false
		}
	}
	return true
}

func isBlank(st *ast.AssignStmt) bool {
	id, ok := st.Lhs[0].(*ast.Ident)
	return ok && len(st.Lhs) == 1 && id.Name == "_"
}
