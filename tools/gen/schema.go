package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// facts lists what a peer may rely on, one line each, sorted.
func facts(files linker.Files) []string {
	var lines []string
	for _, file := range files {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				lines = append(lines, procedureFact(service.Methods().Get(j)))
			}
		}
		eachMessage(file.Messages(), func(message protoreflect.MessageDescriptor) {
			for i := range message.Fields().Len() {
				lines = append(lines, fieldFact(message.Fields().Get(i)))
			}
		})
		eachEnum(file, func(enum protoreflect.EnumDescriptor) {
			for i := range enum.Values().Len() {
				value := enum.Values().Get(i)
				lines = append(lines, fmt.Sprintf("enum %s %d %s", enum.FullName(), value.Number(), value.Name()))
			}
		})
	}
	slices.Sort(lines)
	return lines
}

func procedureFact(method protoreflect.MethodDescriptor) string {
	stream := func(on bool) string {
		if on {
			return "stream "
		}
		return ""
	}
	return fmt.Sprintf("rpc %s/%s (%s%s) returns (%s%s)", method.Parent().FullName(), method.Name(),
		stream(method.IsStreamingClient()), method.Input().FullName(),
		stream(method.IsStreamingServer()), method.Output().FullName())
}

func fieldFact(field protoreflect.FieldDescriptor) string {
	kind := field.Kind().String()
	switch {
	case field.Message() != nil:
		kind = string(field.Message().FullName())
	case field.Enum() != nil:
		kind = string(field.Enum().FullName())
	}
	return fmt.Sprintf("field %s %d %s %s %s", field.Parent().FullName(), field.Number(), field.Name(),
		field.Cardinality(), kind)
}

// mergeLock returns the new content of the lock, and the locked lines that
// are no longer true. A retired line keeps its number from being used again.
func mergeLock(path string, now []string) (content []byte, broken []string, err error) {
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var retired []string
	for line := range strings.Lines(string(have)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if number, ok := strings.CutPrefix(line, "retired "); ok {
			retired = append(retired, line)
			if i := slices.IndexFunc(now, func(fact string) bool { return strings.HasPrefix(fact, number+" ") }); i >= 0 {
				broken = append(broken, line+", used by "+now[i])
			}
			continue
		}
		if _, found := slices.BinarySearch(now, line); !found {
			broken = append(broken, line)
		}
	}
	var out bytes.Buffer
	out.WriteString("# Written by tools/generate.sh: what deployed peers may rely on.\n")
	out.WriteString("# To break one, shorten its line by hand to \"retired field MESSAGE NUMBER\"\n")
	out.WriteString("# (enum, rpc alike) in the same change: its number is never used again.\n")
	for _, line := range append(retired, now...) {
		out.WriteString(line + "\n")
	}
	return out.Bytes(), broken, nil
}

// lint holds the house rules no compiler knows.
func lint(files linker.Files) []string {
	var problems []string
	for _, file := range files {
		eachMessage(file.Messages(), func(message protoreflect.MessageDescriptor) {
			for i := range message.Fields().Len() {
				problems = append(problems, lintField(message.Fields().Get(i))...)
			}
		})
		eachEnum(file, func(enum protoreflect.EnumDescriptor) {
			zero := enum.Values().ByNumber(0)
			if zero == nil || !strings.HasSuffix(string(zero.Name()), "_UNSPECIFIED") {
				problems = append(problems, fmt.Sprintf("%s: value 0 must be named _UNSPECIFIED", enum.FullName()))
			}
		})
	}
	return problems
}

func lintField(field protoreflect.FieldDescriptor) []string {
	var problems []string
	name := string(field.Name())
	if name != strings.ToLower(name) {
		problems = append(problems, fmt.Sprintf("%s: field names are lower_snake_case", field.FullName()))
	}
	kind := field.Kind()
	if kind == protoreflect.FloatKind || kind == protoreflect.DoubleKind {
		problems = append(problems, fmt.Sprintf("%s: no floating point on the wire", field.FullName()))
	}
	money := strings.HasSuffix(name, "_minor") || name == "minor"
	if money && kind != protoreflect.Int64Kind {
		problems = append(problems, fmt.Sprintf("%s: an amount is an int64", field.FullName()))
	}
	if strings.HasSuffix(name, "_ms") && kind != protoreflect.Int64Kind {
		problems = append(problems, fmt.Sprintf("%s: milliseconds are an int64", field.FullName()))
	}
	return problems
}

func eachMessage(messages protoreflect.MessageDescriptors, visit func(protoreflect.MessageDescriptor)) {
	for i := range messages.Len() {
		visit(messages.Get(i))
		eachMessage(messages.Get(i).Messages(), visit)
	}
}

func eachEnum(file protoreflect.FileDescriptor, visit func(protoreflect.EnumDescriptor)) {
	visitAll := func(enums protoreflect.EnumDescriptors) {
		for i := range enums.Len() {
			visit(enums.Get(i))
		}
	}
	visitAll(file.Enums())
	eachMessage(file.Messages(), func(message protoreflect.MessageDescriptor) { visitAll(message.Enums()) })
}
