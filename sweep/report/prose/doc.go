// Package prose says in English what a verdict holds as data: its reason and its advice.
//
// A plateau.Verdict carries codes and numbers (plateau.Finding); so does the fact that a store keeps of it. The sentences are made
// each time a verdict is read, so that rewording one changes no fact. Every code of package plateau has its sentence here, and a
// test holds that.
//
//	v, err := rule.Judge(losses)
//	fmt.Println(prose.Reason(v))
//	for _, line := range prose.Advice(v) {
//		fmt.Println("-", line)
//	}
package prose
