package model

import (
	"reflect"

	"github.com/gomlx/go-xla/compute/xla"
)

// RunBytes is what the compiler says a micro-step, and the two programs of an evaluation, hold while they run, beside what is there
// before: temporaries and outputs. ok as for AnalysisBytes.
func (p *Program) RunBytes() (step, evaluation int64, ok bool) {
	step, ok = running(p.gradient)
	hidden, known := running(p.evaluate.hidden)
	head, also := running(p.evaluate.head)
	return step, hidden + head, ok && known && also
}

// running is what the hungriest of some programs holds.
func running(c cache) (n int64, ok bool) {
	for _, e := range c {
		s, known := e.stats()
		if !known {
			return 0, false
		}
		n, ok = max(n, s.temporary+s.outputs), true
	}
	return n, ok
}

// AnalysisBytes adds up what the compiler says training will hold: the base, the adapter with its moments, the executables'
// code, and the temporaries and outputs of the hungriest one. It knows what Compile compiled; not ok means that the backend
// has no such analysis (pure Go). Some plug-ins under-report temporaries, so compare it with a measured peak.
func (p *Program) AnalysisBytes() (n int64, ok bool) {
	base := p.BaseBytes()
	state := int64(4 * (4*p.layout.total + 1)) // adapter, two moments, accumulator
	var code, working int64
	for _, e := range p.executables() {
		s, ok := e.stats()
		if !ok {
			return 0, false
		}
		code += s.code
		working = max(working, s.temporary+s.outputs)
	}
	return base + state + code + working, true
}

// BaseBytes is the size of the base as it trains.
func (p *Program) BaseBytes() int64 {
	return int64(p.dtype.SizeForDimensions(int(p.config.Params()))) - p.frozen.saved()
}

// executables lists those that training runs.
func (p *Program) executables() []*executable {
	all := []*executable{p.apply}
	for _, c := range []cache{p.gradient, p.evaluate.hidden, p.evaluate.head} {
		for _, e := range c {
			all = append(all, e)
		}
	}
	return all
}

type memoryStats struct {
	code, outputs, temporary int64
}

// stats reads the compiler's analysis. go-xla keeps it in an unexported field and only logs it; reflection may read
// integers there, and a field that moved makes this not ok.
func (e *executable) stats() (memoryStats, bool) {
	if e == nil {
		return memoryStats{}, false
	}
	x, ok := e.graph.Executable().(*xla.Executable)
	if !ok {
		return memoryStats{}, false
	}
	loaded := reflect.ValueOf(x).Elem().FieldByName("exec")
	if !loaded.IsValid() || loaded.Kind() != reflect.Pointer || loaded.IsNil() {
		return memoryStats{}, false
	}
	analysis := loaded.Elem().FieldByName("OnDeviceMemoryUsageStats")
	if !analysis.IsValid() {
		return memoryStats{}, false
	}
	field := func(name string) int64 { return analysis.FieldByName(name).Int() }
	return memoryStats{code: field("GeneratedCode"), outputs: field("Outputs"), temporary: field("Temporary")}, true
}
