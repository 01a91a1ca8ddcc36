package main

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A ConfigError is one thing wrong with the configuration.
type ConfigError struct {
	File     string
	Line     int    // 0: not in the file
	Variable string // instead of the file: where the value came from
	Key      string
	Problem  string
	Remedy   string
}

// Error says where, what, and what to do.
func (f *ConfigError) Error() string {
	at := f.File
	switch {
	case f.Variable != "":
		at = f.Variable
	case f.Line > 0:
		at = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	s := at + ": "
	if f.Key != "" {
		s += f.Key + ": "
	}
	s += f.Problem
	if f.Remedy != "" {
		s += "; " + f.Remedy
	}
	return s
}

// ConfigErrors are all of them.
type ConfigErrors []*ConfigError

// Error puts each fault on a line.
func (fs ConfigErrors) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return fmt.Sprintf("%d configuration faults:\n  %s", len(fs), strings.Join(lines, "\n  "))
}

// loadConfig reads a configuration file. The error is ConfigErrors with every
// fault there is.
func loadConfig(name string, environ []string) (*Config, error) {
	cfg := defaultConfig()
	cfg.file = name
	data, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	if err != nil {
		problem := "cannot be read: " + err.Error()
		if errors.Is(err, os.ErrNotExist) {
			problem = "no such file"
		}
		return nil, ConfigErrors{{File: name, Problem: problem, Remedy: "name the configuration file with --config"}}
	}
	l := &configLoader{file: name, lines: map[string]int{}, variables: map[string]string{}, broken: map[string]bool{}}
	if !l.parse(data, &cfg) {
		return nil, l.faults // nothing could be read: all else would follow from that
	}
	l.environment(environ, reflect.ValueOf(&cfg).Elem())
	(&configCheck{configLoader: l, cfg: &cfg}).all()
	if len(l.faults) > 0 {
		sort.SliceStable(l.faults, func(i, j int) bool { return l.faults[i].Line < l.faults[j].Line })
		return nil, l.faults
	}
	return &cfg, nil
}

type configLoader struct {
	file      string
	faults    ConfigErrors
	lines     map[string]int    // key → line, for faults found later
	variables map[string]string // key → the variable that overrides it
	broken    map[string]bool
}

func (l *configLoader) fault(key, problem, remedy string) {
	if l.told(key) {
		return
	}
	l.broken[key] = true
	f := &ConfigError{File: l.file, Key: key, Problem: problem, Remedy: remedy}
	item, _, _ := strings.Cut(key, "[")
	if f.Variable = l.variables[item]; f.Variable == "" {
		f.Line = l.lines[key]
		for k := key; f.Line == 0 && k != ""; f.Line = l.lines[k] {
			k = k[:max(strings.LastIndexByte(k, '.'), 0)]
		}
	}
	l.faults = append(l.faults, f)
}

// told tells whether the key, or what it is part of, has its fault already:
// what is said of the parts of a section that could not be read is not true.
func (l *configLoader) told(key string) bool {
	for k := key; k != ""; k = k[:max(strings.LastIndexAny(k, ".["), 0)] {
		if l.broken[k] {
			return true
		}
	}
	return false
}

// parse reads the file's text. It reports whether there was anything to read
// keys from; then each fault stands alone, and more may be found.
func (l *configLoader) parse(data []byte, cfg *Config) bool {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // of editors that mark UTF-8
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f := &ConfigError{File: l.file, Problem: "not YAML", Remedy: "correct the syntax there"}
		if syntax, ok := errors.AsType[yaml.Error](err); ok { // its own text quotes the file, secrets and all
			f.Problem += ": " + syntax.GetMessage()
			if token := syntax.GetToken(); token != nil && token.Position != nil {
				f.Line = token.Position.Line
			}
		}
		l.faults = append(l.faults, f)
		return false
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return true // empty: all that is required is missing
	}
	body := file.Docs[0].Body
	if _, section := body.(*ast.MappingNode); !section && pairs(body) == nil {
		l.faults = append(l.faults, &ConfigError{File: l.file, Line: line(body), Problem: "must be a section with keys", Remedy: "begin with publicURL: https://…"})
		return false
	}
	if len(file.Docs) > 1 {
		l.faults = append(l.faults, &ConfigError{File: l.file, Problem: "has more than one document", Remedy: "keep one document in the file"})
	}
	l.bind(body, reflect.ValueOf(cfg).Elem(), "")
	return true
}

func line(node ast.Node) int {
	if token := node.GetToken(); token != nil && token.Position != nil {
		return token.Position.Line
	}
	return 0
}

// bind sets v from a node and remembers the line of each key.
func (l *configLoader) bind(node ast.Node, v reflect.Value, key string) {
	if _, null := node.(*ast.NullNode); null {
		return // a key without a value keeps its default
	}
	switch {
	case v.Kind() == reflect.Struct:
		l.bindStruct(node, v, key)
	case v.Kind() == reflect.Slice:
		seq, ok := node.(*ast.SequenceNode)
		if !ok {
			l.fault(key, "must be a list", "write it as [a, b]")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
		for i, item := range seq.Values {
			itemKey := fmt.Sprintf("%s[%d]", key, i)
			l.lines[itemKey] = item.GetToken().Position.Line
			l.bind(item, v.Index(i), itemKey)
		}
	case v.Kind() == reflect.Map:
		l.bindMap(node, v, key)
	default:
		scalar, ok := node.(ast.ScalarNode)
		if !ok {
			l.fault(key, "must be a single value", "write one value, and no list or section")
			return
		}
		l.set(v, key, fmt.Sprint(scalar.GetValue()))
	}
}

// bindMap sets a section whose keys are the operator's own.
func (l *configLoader) bindMap(node ast.Node, v reflect.Value, key string) {
	m := reflect.MakeMap(v.Type())
	v.Set(m)
	kvs := pairs(node)
	if _, section := node.(*ast.MappingNode); kvs == nil && !section {
		l.fault(key, "must be a section with keys", "write it as {name: {key: value}}")
		return
	}
	for _, kv := range kvs {
		name := kv.Key.GetToken().Value
		child := join(key, name)
		l.lines[child] = kv.Key.GetToken().Position.Line
		one := reflect.New(v.Type().Elem()).Elem()
		if one.Kind() == reflect.Interface {
			one.Set(reflect.ValueOf(kv.Value.String()))
		} else {
			l.bind(kv.Value, one, child)
		}
		if m.MapIndex(reflect.ValueOf(name)).IsValid() {
			l.fault(child, "given twice", "keep one")
			continue
		}
		m.SetMapIndex(reflect.ValueOf(name), one)
	}
}

func (l *configLoader) bindStruct(node ast.Node, v reflect.Value, key string) {
	fields := fieldsOf(v)
	kvs := pairs(node)
	if kvs == nil {
		if _, ok := node.(*ast.MappingNode); !ok {
			l.fault(key, "must be a section with keys", "write it as {key: value}; known here: "+strings.Join(known(fields), ", "))
		}
		return
	}
	seen := map[string]bool{}
	for _, kv := range kvs {
		name := kv.Key.GetToken().Value
		child := join(key, name)
		l.lines[child] = kv.Key.GetToken().Position.Line
		field, ok := fields[name]
		switch {
		case !ok:
			l.fault(child, "unknown key", "known here: "+strings.Join(known(fields), ", "))
		case seen[name]:
			l.fault(child, "given twice", "keep one")
		default:
			l.bind(kv.Value, field, child)
		}
		seen[name] = true
	}
}

// set parses a scalar into a field.
func (l *configLoader) set(v reflect.Value, key, text string) {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			remedy := "write it as 20ms, 10m or 24h"
			if _, size := u.(*Size); size {
				remedy = "write it as 16MiB or 1GiB"
			}
			l.fault(key, err.Error(), remedy)
		}
		return
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			l.fault(key, fmt.Sprintf("%q is neither true nor false", text), "write true or false")
		}
		v.SetBool(b)
	case v.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			l.fault(key, fmt.Sprintf("%q is not a whole number", text), "write a whole number, such as 100")
		}
		v.SetInt(int64(n))
	default:
		l.fault(key, "can't be set", "")
	}
}

// fieldsOf maps a section's keys to its fields.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			maps.Copy(fields, fieldsOf(v.Field(i)))
			continue
		}
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" {
			fields[name] = v.Field(i)
		}
	}
	return fields
}

func known(fields map[string]reflect.Value) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func pairs(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
