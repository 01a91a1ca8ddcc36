package main

import (
	"fmt"
	"go/ast"
	"strings"
)

// valueSwitch makes the cases of a switch without a tag conditions, and drops the
// others.
func (s *source) valueSwitch(n *ast.SwitchStmt) {
	for _, c := range n.Body.List {
		clause, _ := c.(*ast.CaseClause)
		if n.Tag == nil {
			for i, e := range clause.List {
				s.condition(e, i == 0, true) // one that is true is as good as another
			}
			continue
		}
		tag := s.code(n.Tag)
		s.dropCases(n.Body, clause, func(e ast.Expr) string { return " && (" + tag + ") == " + s.code(e) })
	}
}

// typeSwitch drops the cases of a switch by type.
func (s *source) typeSwitch(n *ast.TypeSwitchStmt) {
	subject := ""
	switch st := n.Assign.(type) {
	case *ast.AssignStmt:
		subject = s.code(st.Lhs[0]) // has the interface's type where a case names several
	case *ast.ExprStmt:
		if assert, ok := st.X.(*ast.TypeAssertExpr); ok {
			subject = s.code(assert.X)
		}
	}
	for _, c := range n.Body.List {
		clause, _ := c.(*ast.CaseClause)
		s.dropCases(n.Body, clause, func(e ast.Expr) string {
			return fmt.Sprintf(" && func() bool { _, is := %s.(%s); return is }()", subject, s.code(e))
		})
	}
}

// dropCases drops each value or type of a case: the switch goes on as if it did not
// name it. only is the test for one among several. A case without a body, or
// one that only logs, is no guard.
func (s *source) dropCases(all *ast.BlockStmt, clause *ast.CaseClause, only func(ast.Expr) string) {
	if s.decidesNothing(clause.Body) {
		return
	}
	for _, e := range clause.List {
		id := s.add(e, s.guardText("case ", e), "dropped")
		test := ""
		if len(clause.List) > 1 {
			test = only(e)
		}
		s.insert(clause.Colon+1, fmt.Sprintf(" if mutantIs(%d)%s { %s };", id, test, s.otherwise(all)))
	}
}

// otherwise is what a switch does with what it does not name.
func (s *source) otherwise(all *ast.BlockStmt) string {
	for _, c := range all.List {
		clause, _ := c.(*ast.CaseClause)
		if clause.List != nil || len(clause.Body) == 0 {
			continue
		}
		first, last := clause.Body[0], clause.Body[len(clause.Body)-1]
		body := string(s.text[s.offset(first.Pos()):s.offset(last.End())])
		if _, returns := last.(*ast.ReturnStmt); returns {
			return strings.ReplaceAll(body, "\n", "; ")
		}
		return strings.ReplaceAll(body, "\n", "; ") + "; break"
	}
	return "break"
}
