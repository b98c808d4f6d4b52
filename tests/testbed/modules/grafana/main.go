// Judges a dashboard on standard input by the schema that Grafana publishes, as its foundation SDK has it in Go: types,
// required and unknown fields of the dashboard, its panels with their options, and its queries.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if err := check(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(given io.Reader) error {
	plugins.RegisterDefaultPlugins()
	content, err := io.ReadAll(given)
	if err != nil {
		return err
	}
	var read dashboard.Dashboard
	if err := unlessEmpty(read.UnmarshalJSONStrict(content)); err != nil {
		return err
	}
	if err := checkFields(content); err != nil {
		return err
	}
	return unlessEmpty(read.Validate())
}

// The SDK is strict with a panel, but not with the fields that all kinds of panels have, though it could be.
func checkFields(content []byte) error {
	var board struct {
		Panels []struct {
			Title       string          `json:"title"`
			FieldConfig json.RawMessage `json:"fieldConfig"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(content, &board); err != nil {
		return err
	}
	for _, panel := range board.Panels {
		var read dashboard.FieldConfigSource
		if err := unlessEmpty(read.UnmarshalJSONStrict(panel.FieldConfig)); err != nil {
			return fmt.Errorf("fieldConfig of panel %q: %w", panel.Title, err)
		}
	}
	return nil
}

// The SDK returns its list of errors even when there is none, and an empty list is not nil.
func unlessEmpty(err error) error {
	var found cog.BuildErrors
	if errors.As(err, &found) && len(found) == 0 {
		return nil
	}
	return err
}
