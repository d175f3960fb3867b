// Renders the chart as Helm would: text/template with sprig and the functions that Helm adds. Helm itself is in no
// registry that this project builds from. Values given by --set and files are merged over values.yaml.
//
//	render CHART RELEASE NAMESPACE [--api GROUP/VERSION] [VALUES.yaml ...]
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type files string

// Get reads a file of the chart; templates may embed it.
func (root files) Get(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(root), name))
	return string(text), err
}

type versions []string

// Has tells whether the cluster knows an API.
func (known versions) Has(wanted string) bool {
	for _, one := range known {
		if one == wanted {
			return true
		}
	}
	return false
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func read(path string) map[string]interface{} {
	text, err := os.ReadFile(path)
	fail(err)
	values := map[string]interface{}{}
	fail(yaml.Unmarshal(text, &values))
	return values
}

// lay merges maps; everything else is replaced, null removes.
func lay(under, over map[string]interface{}) {
	for key, value := range over {
		deep, isMap := value.(map[string]interface{})
		below, wasMap := under[key].(map[string]interface{})
		switch {
		case value == nil:
			delete(under, key)
		case isMap && wasMap:
			lay(below, deep)
		default:
			under[key] = value
		}
	}
}

func toYaml(value interface{}) string {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	fail(encoder.Encode(value))
	return strings.TrimSuffix(text.String(), "\n")
}

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: render CHART RELEASE NAMESPACE [--api GROUP/VERSION] [VALUES.yaml ...]"))
	}
	root, release, namespace := os.Args[1], os.Args[2], os.Args[3]
	values := read(filepath.Join(root, "values.yaml"))
	known := versions{"v1", "apps/v1"}
	for i := 4; i < len(os.Args); i++ {
		if os.Args[i] == "--api" {
			i++
			known = append(known, os.Args[i])
			continue
		}
		lay(values, read(os.Args[i]))
	}
	chart := read(filepath.Join(root, "Chart.yaml"))
	top := map[string]interface{}{
		"Values":       values,
		"Chart":        map[string]interface{}{"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]},
		"Release":      map[string]interface{}{"Name": release, "Namespace": namespace, "Service": "Helm"},
		"Capabilities": map[string]interface{}{"APIVersions": known},
		"Files":        files(root),
	}

	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["toYaml"] = toYaml
	functions["include"] = func(name string, data interface{}) (string, error) {
		var text strings.Builder
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	functions["required"] = func(why string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, fmt.Errorf("%s", why)
		}
		return value, nil
	}
	all.Funcs(functions)

	names, err := filepath.Glob(filepath.Join(root, "templates", "*"))
	fail(err)
	sort.Strings(names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		fail(err)
		_, err = all.New(filepath.Base(name)).Parse(string(text))
		fail(err)
	}
	for _, name := range names {
		base := filepath.Base(name)
		if strings.HasPrefix(base, "_") || !strings.HasSuffix(base, ".yaml") {
			continue
		}
		var text strings.Builder
		fail(all.ExecuteTemplate(&text, base, top))
		// Helm prints <no value> where a key is missing; that is always a fault of the chart.
		if strings.Contains(text.String(), "<no value>") {
			fail(fmt.Errorf("%s: a value is missing", base))
		}
		if strings.TrimSpace(strings.ReplaceAll(text.String(), "---", "")) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", base, strings.TrimSpace(text.String()))
		}
	}
	var notes strings.Builder
	fail(all.ExecuteTemplate(&notes, "NOTES.txt", top))
}
