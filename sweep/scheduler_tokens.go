package sweep

// countTokens remembers what the workers had trained on when the facts were read.
func (r *run) countTokens() {
	for _, a := range r.live {
		a.counted = a.Tokens
	}
}

// tokensRunOut reports whether limits.tokens ran out since the facts were read.
func (r *run) tokensRunOut() bool {
	info := r.snapshot.Sweep
	if info.Limits.Tokens == 0 || info.tokensAreUp() {
		return false
	}
	for _, a := range r.live {
		info.Tokens += max(0, a.Tokens-a.counted)
	}
	return info.tokensAreUp()
}
