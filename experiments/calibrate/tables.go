package main

import (
	"fmt"
	"io"
	"strings"
)

// write prints formulas, goals and tables as markdown.
func (p plan) write(w io.Writer, r results, brief bool) error {
	var b strings.Builder
	p.formulas(&b)
	p.goals(&b, r)
	p.summary(&b, r)
	p.picks(&b, r)
	p.knees(&b, r)
	if !brief {
		p.details(&b, r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p plan) formulas(b *strings.Builder) {
	fmt.Fprintf(b, "%d ladders for each curve and noise, ranks %d to %d, patience %d, confidence %v, "+
		"random seed %d. Plateau rule version %d.\n\n",
		p.ladders, ranks[0], ranks[rungs-1], patience, confidence, p.seed, ruleVersion)
	b.WriteString("| curve | true loss of rank r, nats |\n|---|---|\n")
	for _, c := range p.curves {
		fmt.Fprintf(b, "| %s | %s |\n", c.name, c.formula)
	}
	b.WriteString("\n| noise | added to it |\n|---|---|\n")
	for _, n := range p.noises {
		fmt.Fprintf(b, "| %s | %s |\n", n.name, n.formula)
	}
	fmt.Fprintf(b, "\nA scout of %.1f trials shows at rank r %s.\n\n", scoutSteps, scoutFormula)
}

// row is one line of a table.
func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func header(b *strings.Builder, cells ...string) {
	row(b, cells...)
	b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
}

func percent(x float64) string { return fmt.Sprintf("%.1f", x) }
func two(x float64) string     { return fmt.Sprintf("%.2f", x) }

// numbers are a tally's columns, for so many seeds per rank.
func (t tally) numbers(plateaus bool, seeds int) []string {
	called := "–"
	if plateaus {
		called = percent(t.share(t.called))
	}
	return []string{
		percent(t.share(t.plateau)), percent(t.share(t.wrong)), percent(t.share(t.clearlyWrong)),
		percent(t.share(t.likely)), percent(t.share(t.likelyWrong)), called,
		two(t.pick.mean(t.pick.regret)), percent(t.share(t.pick.short)), two(t.pick.mean(t.pick.bought)),
		percent(t.mean(float64(t.used))), percent(t.mean(t.steps)), percent(100 * t.mean(t.steps) / float64(rungs*seeds)),
	}
}

//nolint:gochecknoglobals // a constant
var columns = []string{
	"plateau", "false", "clearly false", "likely", "wrongly likely", "called", "regret", "short", "bought", "ranks", "steps", "steps %",
}

// details has one table for each noise, min_gain and number of seeds.
func (p plan) details(b *strings.Builder, r results) {
	for n, noise := range p.noises {
		for g, share := range p.shares {
			for s, seeds := range p.seeds {
				fmt.Fprintf(b, "\n### %s noise, min_gain %v %%, %d seeds\n\n", noise.name, 100*share, seeds)
				header(b, append([]string{"curve", "rule"}, columns...)...)
				for c, curve := range p.curves {
					truth := newTruth(curve, noise, share, patience)
					for k, rule := range p.protocols {
						if t := r[cell{n, c, g, s, k}]; t != nil {
							row(b, append([]string{curve.name, rule.name}, t.numbers(truth.plateaus(patience), seeds)...)...)
						}
					}
				}
			}
		}
	}
}

// each visits the cells of a rule and a number of seeds that have a tally, always in the same order.
func (p plan) each(r results, seeds, rule int, visit func(cell, tally)) {
	for n := range p.noises {
		for c := range p.curves {
			for g := range p.shares {
				at := cell{n, c, g, seeds, rule}
				if t := r[at]; t != nil {
					visit(at, *t)
				}
			}
		}
	}
}

// summary has one line for each rule and number of seeds: sums over everything, and the worst cell.
func (p plan) summary(b *strings.Builder, r results) {
	b.WriteString("\n## All curves, noises and min_gains together\n\n")
	header(b, append([]string{"rule", "seeds", "worst false", "worst clearly false", "worst wrongly likely"}, columns...)...)
	for s, seeds := range p.seeds {
		for k, rule := range p.protocols {
			var all tally
			var wrong, clearly, likely float64
			p.each(r, s, k, func(_ cell, t tally) {
				all.merge(t)
				wrong = max(wrong, t.share(t.wrong))
				clearly = max(clearly, t.share(t.clearlyWrong))
				likely = max(likely, t.share(t.likelyWrong))
			})
			if all.ladders > 0 {
				worst := []string{rule.name, fmt.Sprint(seeds), percent(wrong), percent(clearly), percent(likely)}
				row(b, append(worst, all.numbers(true, seeds)...)...)
			}
		}
	}
}

// picks compares the ways to recommend a rank of ladders without a plateau for sure, after the first protocol's climb.
func (p plan) picks(b *strings.Builder, r results) {
	b.WriteString("\n## Which rank to recommend where no plateau is sure\n\n")
	header(b, "rule", "seeds", "recommended", "% of ladders", "regret", "short %", "bought", "bought too much")
	for s, seeds := range p.seeds {
		var all tally
		p.each(r, s, 0, func(_ cell, t tally) { all.merge(t) })
		for i, c := range choices() {
			if all.undecided == nil {
				continue
			}
			u := all.undecided[i]
			row(b, p.protocols[0].name, fmt.Sprint(seeds), c.name, percent(all.share(u.ladders)), two(u.mean(u.regret)),
				percent(100*u.mean(float64(u.short))), two(u.mean(u.bought)), two(u.mean(u.over)))
		}
	}
}

// knees says how often scouts are right, by curve and by all else: percent of the ladders.
func (p plan) knees(b *strings.Builder, r results) {
	b.WriteString("\n## How often the scouted knee is within one rung of the cheapest rank within min_gain\n\n")
	names := []string{"scout", "curve"}
	var columns []func(cell) bool
	for n, noise := range p.noises {
		names, columns = append(names, noise.name), append(columns, func(at cell) bool { return at.noise == n })
	}
	for g, share := range p.shares {
		names = append(names, fmt.Sprintf("min_gain %v %%", 100*share))
		columns = append(columns, func(at cell) bool { return at.share == g })
	}
	header(b, append(names, "all")...)
	columns = append(columns, func(cell) bool { return true })
	last := ""
	for k, rule := range p.protocols {
		if rule.scout == "" || rule.scout == last {
			continue
		}
		last = rule.scout
		for c, curve := range p.curves {
			p.kneesRow(b, r, k, curve.name, columns, func(at cell) bool { return at.curve == c })
		}
		p.kneesRow(b, r, k, "all", columns, func(cell) bool { return true })
	}
}

func (p plan) kneesRow(b *strings.Builder, r results, rule int, curve string, columns []func(cell) bool, in func(cell) bool) {
	cells := []string{p.protocols[rule].scout, curve}
	for _, column := range columns {
		var all tally
		p.each(r, 0, rule, func(at cell, t tally) {
			if in(at) && column(at) {
				all.merge(t)
			}
		})
		cells = append(cells, percent(all.share(all.near)))
	}
	row(b, cells...)
}

// goal is what our rule should reach in every cell of a kind.
type goal struct {
	name  string
	least bool // the share should be at least so large, so that the smallest one counts
	share func(tally) float64
	in    func(p plan, at cell) bool
}

func goals() []goal {
	called := func(curve string) func(plan, cell) bool {
		return func(p plan, at cell) bool { return p.curves[at.curve].name == curve && p.shares[at.share] == .01 }
	}
	rises := func(p plan, at cell) bool { return p.curves[at.curve].rises }
	return []goal{
		{name: "clearly false plateau ≤ 2", share: func(t tally) float64 { return t.share(t.clearlyWrong) }},
		{name: "false plateau ≤ 6", share: func(t tally) float64 { return t.share(t.wrong) }},
		{
			name: "wrongly likely, monotone ≤ 15", share: func(t tally) float64 { return t.share(t.likelyWrong) },
			in: func(p plan, at cell) bool { return !rises(p, at) },
		},
		{name: "wrongly likely, U-shape ≤ 20", share: func(t tally) float64 { return t.share(t.likelyWrong) }, in: rises},
		{name: "flat called at 1 % ≥ 80", least: true, share: func(t tally) float64 { return t.share(t.called) }, in: called("flat")},
		{name: "saturating called at 1 % ≥ 80", least: true, share: func(t tally) float64 { return t.share(t.called) }, in: called("saturating")},
	}
}

// worst is the share furthest from a goal, and where it is.
func (g goal) worst(p plan, r results, seeds, rule int) string {
	found, x, where := false, 0.0, ""
	p.each(r, seeds, rule, func(at cell, t tally) {
		v := g.share(t)
		if g.in != nil && !g.in(p, at) || found && (v <= x) != g.least {
			return
		}
		found, x = true, v
		where = fmt.Sprintf("%s, %s, %v %%", p.noises[at.noise].name, p.curves[at.curve].name, 100*p.shares[at.share])
	})
	return fmt.Sprintf("%.1f (%s)", x, where)
}

// goals lists, for each mode of our rule, the worst cell of each goal.
func (p plan) goals(b *strings.Builder, r results) {
	b.WriteString("## Goals\n\n")
	columns := []string{"rule", "seeds"}
	for _, g := range goals() {
		columns = append(columns, g.name)
	}
	header(b, columns...)
	for s, seeds := range p.seeds {
		for k, rule := range p.protocols[:len(ours())] {
			if rule.seeds > 0 && s > 0 {
				continue
			}
			cells := []string{rule.name, fmt.Sprint(seeds)}
			for _, g := range goals() {
				cells = append(cells, g.worst(p, r, s, k))
			}
			row(b, cells...)
		}
	}
}
