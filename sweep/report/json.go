package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// Schema names the JSON form of a Report.
const Schema = "sweep.report/v1"

// JSON writes the report as `sweep report -o json` prints it: the schema first, indented, floats in full precision.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct {
		Schema string `json:"schema"`
		Report
	}{Schema, r})
	if err != nil {
		return fmt.Errorf("write report of sweep %s as JSON: %w", r.Sweep, err)
	}
	return nil
}
