// Package planted makes data whose right LoRA rank is known: rows sampled from a teacher, which is a base model with a
// random adapter of a chosen rank. A student that starts from the same base can become the teacher exactly from that rank on,
// and at no lower one, so a rule that picks ranks can be held against the truth.
//
//	Teacher.Adapter → Rows → rows of token ids
//
// experiments/planted writes them as jsonl; experiments/LOG.md tells what came out.
package planted
