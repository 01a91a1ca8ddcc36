package recorder

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Words writes a command, an event or a state for people and journals: Go-like,
// without addresses, zero fields, times and what nobody may keep. The same value
// gives the same words.
func Words(v any) string {
	if v == nil {
		return "nil"
	}
	return words(reflect.ValueOf(v), func(Permit) string { return "permit" })
}

func words(v reflect.Value, permit func(Permit) string) string {
	switch v.Type() {
	case reflect.TypeFor[Permit]():
		// A copy, for the field may be one that reflection does not hand out.
		return permit(Permit{(*grant)(v.Field(0).UnsafePointer())})
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[error]():
		if !v.IsNil() && v.CanInterface() {
			return fmt.Sprint(v.Interface()) // its words are what a journal keeps of an error
		}
	}
	switch v.Kind() { //nolint:exhaustive // the others print themselves
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return words(v.Elem(), permit)
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = words(v.Index(i), permit)
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Struct:
		return structWords(v, permit)
	case reflect.String:
		return v.String()
	}
	return fmt.Sprint(exported(v))
}

// exported is a number's value, with its name where it has one, also of a field
// that reflection does not hand out.
func exported(v reflect.Value) any {
	c := reflect.New(v.Type()).Elem()
	switch {
	case v.CanInt():
		c.SetInt(v.Int())
	case v.CanUint():
		c.SetUint(v.Uint())
	default:
		return v
	}
	return c.Interface()
}

func structWords(v reflect.Value, permit func(Permit) string) string {
	var parts []string
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if f := v.Field(i); !f.IsZero() && name != "Blob" {
			parts = append(parts, name+":"+words(f, permit))
		}
	}
	return v.Type().Name() + "{" + strings.Join(parts, " ") + "}"
}
