package tokenizer_test

import (
	"fmt"

	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

func ExampleLoad() {
	files, err := weights.Builtin("gopher")
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := tokenizer.Load(files)
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := tok.Encode("func main() { fmt.Println(gopher) }")
	var pieces []string
	for _, id := range ids {
		pieces = append(pieces, tok.Decode([]int32{id}))
	}
	fmt.Printf("%q\n", pieces)
	fmt.Println(tok.Decode(ids))
	// Output:
	// ["func" " ma" "in" "()" " {" " fmt" "." "Print" "ln" "(" "go" "p" "her" ")" " }"]
	// func main() { fmt.Println(gopher) }
}
