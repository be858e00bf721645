package plateau_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

func TestParseMinGain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]plateau.MinGain{
		"0.5%": plateau.DefaultRule().MinGain, "0.7%": {Value: 0.007, Relative: true}, "0.02": {Value: 0.02}, "1e-3": {Value: 0.001},
	} {
		got, err := plateau.ParseMinGain(text)
		if diff := got.Value - want.Value; err != nil || diff > 1e-17 || diff < -1e-17 || got.Relative != want.Relative {
			t.Errorf("%s is %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := plateau.ParseMinGain(got.String()); err != nil || again != got {
			t.Errorf("%s reads back as %+v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "%", "little", "0.5 %", "5%%"} {
		if got, err := plateau.ParseMinGain(text); err == nil {
			t.Errorf("%q is %+v, want an error", text, got)
		}
	}
}
