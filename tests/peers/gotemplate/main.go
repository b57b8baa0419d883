// Asks Go's own text/template what rollcast's gotemplate module must answer.
//
// Reads cases from standard input, one JSON object a line with `template` and `variables`, and writes each back with
// the `output` or the `error` that Go comes to. With -generate N it appends N templates made at random from the
// pieces that metric templates are made of; -seed repeats them.
//
// The template is set up as Flagger v1.44.0 does: functions without arguments, missingkey=error, no data.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"strings"
	"text/template"
)

// A case as tests/gotemplate.rs reads it.
type testCase struct {
	Template  string            `json:"template"`
	Variables map[string]string `json:"variables,omitempty"`
	Output    *string           `json:"output,omitempty"`
	Error     string            `json:"error,omitempty"`
}

func main() {
	generate := flag.Int("generate", 0, "templates to make up")
	seed := flag.Int64("seed", 1, "seed of what is made up")
	flag.Parse()

	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	answer := func(c testCase) {
		c.Output, c.Error = nil, ""
		if text, err := render(c); err != nil {
			c.Error = err.Error()
		} else {
			c.Output = &text
		}
		if err := out.Encode(c); err != nil {
			log.Fatal(err)
		}
	}

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c testCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatalf("not a case: %v", err)
		}
		answer(c)
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	g := generator{rand.New(rand.NewSource(*seed))}
	for i := 0; i < *generate; i++ {
		answer(testCase{Template: g.text(3), Variables: variables})
	}
}

// The values that tests/gotemplate.rs gives.
func render(c testCase) (string, error) {
	value := func(text string) func() string { return func() string { return text } }
	functions := template.FuncMap{
		"name":      value("podinfo"),
		"namespace": value("test"),
		"target":    value("podinfo-app"),
		"service":   value("svc"),
		"ingress":   value("ing"),
		"route":     value("rt"),
		"interval":  value("1m"),
		"variables": func() map[string]string { return c.Variables },
	}
	parsed, err := template.New("tmpl").Option("missingkey=error").Funcs(functions).Parse(c.Template)
	if err != nil {
		return "", fmt.Errorf("template parsing failed: %w", err)
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, nil); err != nil {
		return "", fmt.Errorf("template excution failed: %w", err)
	}
	return text.String(), nil
}

var variables = map[string]string{"a": "x", "b c": "y", "empty": "", "n": "5"}

// generator makes templates up: mostly sound ones, some with a mistake.
type generator struct{ *rand.Rand }

func (g generator) pick(words ...string) string { return words[g.Intn(len(words))] }

// text is a few pieces in a row, nested at most so deep.
func (g generator) text(depth int) string {
	var text strings.Builder
	for n := 1 + g.Intn(3); n > 0; n-- {
		text.WriteString(g.piece(depth))
	}
	return text.String()
}

func (g generator) piece(depth int) string {
	left, right := g.pick("{{ ", "{{", "{{- "), g.pick(" }}", "}}", " -}}")
	if depth == 0 {
		return left + g.pipeline(1) + right
	}
	switch g.Intn(12) {
	case 0, 1:
		return g.pick("sum(rate(x{a=\"b\"}[1m])) ", "up", "\n  ", " / ", "{ns=\"", "\"}", "") + g.piece(0)
	case 2:
		return left + "if " + g.pipeline(2) + right + g.text(depth-1) + g.otherwise(depth) + "{{ end }}"
	case 3:
		return left + "with " + g.pipeline(2) + right + g.pick("{{ . }}", g.text(depth-1)) + g.otherwise(depth) + "{{end}}"
	case 4:
		return left + "range " + g.pick("$k, $v := ", "$v := ", "") + g.pick("variables", "variables.a", "$", g.pipeline(1)) + right +
			g.pick("{{ . }},", "{{ break }}", "{{ continue }}", g.text(depth-1)) + g.otherwise(depth) + "{{ end }}"
	case 5:
		return left + "$x := " + g.pipeline(2) + right + g.pick("{{ $x }}", "{{ $x | len }}", "{{ $x = "+g.operand(1)+" }}{{ $x }}", "{{ $y }}")
	case 6:
		if g.Intn(6) > 0 {
			return g.pick("{{/* a comment */}}", "{{- /* a comment */ -}}")
		}
		return g.pick("{{ /* spaced */ }}", "{{", "}}", "{{ }}", "{{ end }}", "{{ else }}", "{{ nope }}", "{{ .x }}")
	default:
		return left + g.pipeline(2) + right
	}
}

func (g generator) otherwise(depth int) string {
	switch g.Intn(4) {
	case 0:
		return "{{ else }}" + g.text(depth-1)
	case 1:
		return "{{ else if " + g.operand(1) + " }}" + g.text(depth-1)
	default:
		return ""
	}
}

// pipeline is a call and what it is piped into.
func (g generator) pipeline(depth int) string {
	text := g.call(depth)
	for g.Intn(3) == 0 {
		text += " | " + g.pick("len", "printf \"%s\"", "printf \"%5q|\"", "print 1", "eq \"x\"", "not", "println", "index variables", "slice", "name")
	}
	return text
}

func (g generator) call(depth int) string {
	if depth == 0 || g.Intn(3) == 0 {
		return g.operand(depth)
	}
	a, b := g.operand(depth-1), g.operand(depth-1)
	switch g.Intn(8) {
	case 0:
		return g.pick("eq", "ne", "lt", "le", "gt", "ge") + " " + a + " " + b
	case 1:
		return g.pick("and", "or") + " " + a + " " + b
	case 2:
		return "not " + a
	case 3:
		return "len " + a
	case 4:
		return "index variables " + a
	case 5:
		return "slice " + a + " " + g.pick("0", "1", "2", "1 2", "0 9", "-1")
	case 6:
		verb := g.pick("%s", "%v", "%d", "%q", "%5s|", "%-6s|", "%05d", "%.2f", "%x", "%%", "%t", "%s %s", "%+d", "%e", "%g", "%!")
		return "printf \"" + verb + "\" " + a + g.pick("", " "+b)
	default:
		return g.pick("print", "println") + " " + a + " " + b
	}
}

func (g generator) operand(depth int) string {
	words := []string{
		"name", "namespace", "target", "interval", "variables.a", "variables.n", "variables.empty", "variables.missing",
		"\"x\"", "\"\"", "`raw`", "\"a\\tb\"", "'c'", "0", "1", "-7", "0x1f", "1_000", "2.5", "1e3", "true", "false", "nil", ".", "$", "variables",
	}
	if depth > 0 && g.Intn(4) == 0 {
		return "(" + g.call(depth-1) + ")"
	}
	return words[g.Intn(len(words))]
}
