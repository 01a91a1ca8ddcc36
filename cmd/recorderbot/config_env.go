package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// variablePrefix begins the names of the variables that override keys.
const variablePrefix = "RECORDERBOT_"

// environment overrides keys from variables, and refuses a variable of ours
// that names no key: who sets one means something by it.
func (l *configLoader) environment(environ []string, v reflect.Value) {
	vars := map[string]string{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, variablePrefix) {
			vars[name] = value
		}
	}
	var known []string
	l.override(vars, v, "", &known)
	var strange []string
	for name, value := range vars {
		if !slices.Contains(known, name) && !foreignVariable(name, value) {
			strange = append(strange, name)
		}
	}
	slices.Sort(strange)
	for _, name := range strange {
		l.faults = append(l.faults, &ConfigError{
			File: l.file, Variable: name, Problem: "names no key", Remedy: suggestion(name, known),
		})
	}
}

func (l *configLoader) override(vars map[string]string, v reflect.Value, key string, known *[]string) {
	for name, field := range fieldsOf(v) {
		child := join(key, name)
		if field.Kind() == reflect.Struct {
			l.override(vars, field, child, known)
			continue
		}
		if field.Kind() == reflect.Map || field.Kind() == reflect.Slice && field.Type().Elem().Kind() != reflect.String {
			continue // what has keys of its own stands in the file
		}
		variable := variablePrefix + strings.ToUpper(strings.ReplaceAll(child, ".", "_"))
		*known = append(*known, variable)
		text, ok := vars[variable]
		if !ok {
			continue
		}
		l.overridden(child, variable)
		if field.Kind() == reflect.Slice {
			items := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
			field.Set(reflect.ValueOf(items))
			continue
		}
		l.set(field, child, text)
	}
}

// overridden forgets what the file said of a key: its faults with it.
func (l *configLoader) overridden(key, variable string) {
	l.variables[key] = variable
	delete(l.lines, key)
	delete(l.broken, key)
	l.faults = slices.DeleteFunc(l.faults, func(f *ConfigError) bool { return f.Key == key || strings.HasPrefix(f.Key, key+"[") })
}

// foreignVariable tells whether a variable of our prefix is no key's: one is the
// operators' commands', Kubernetes describes to every pod the services whose names begin with ours,
// and our own tests tell their children what to be.
func foreignVariable(name, value string) bool {
	if name == tokenFileVariable || strings.HasPrefix(name, variablePrefix+"TEST_") {
		return true
	}
	if regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`).MatchString(name) {
		return true
	}
	return strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

// suggestion finds the variable that was meant: underscores within a key's name
// are the usual mistake.
func suggestion(name string, known []string) string {
	bare := strings.ReplaceAll(name, "_", "")
	for _, k := range known {
		if strings.EqualFold(strings.ReplaceAll(k, "_", ""), bare) {
			return "write " + k
		}
	}
	return fmt.Sprintf("remove it, or write %s and a key's path in capitals, for example %sLISTEN_OPS_ADDRESS", variablePrefix, variablePrefix)
}
