package tokenizer

// Size returns one more than the largest id.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// BOS returns the begin-of-text token's id, and whether the model has one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// DecodeSkipSpecial is Decode without special tokens.
func (t *Tokenizer) DecodeSkipSpecial(ids []int32) string { return t.decodeTokens(ids, true) }
