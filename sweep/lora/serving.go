package lora

// Serving is what it takes to serve an adapter with vLLM.
type Serving struct {
	Rank int `json:"rank"` // the largest of any module, as the adapter is stored
	// MaxLoRARank is the smallest max_lora_rank that vLLM admits and that holds Rank; nil where none does.
	MaxLoRARank *int `json:"vllm_max_lora_rank"`
	// Unsupported names the settings with which vLLM refuses the adapter, or computes something else than what was trained.
	Unsupported []string `json:"vllm_unsupported"`
}

// VLLMMaxRank is the largest max_lora_rank of vLLM.
const VLLMMaxRank = 512

// vllmRanks are the values that vLLM admits for max_lora_rank (MaxLoRARanks in vllm/config/lora.py, 2026).
func vllmRanks() []int { return []int{1, 8, 16, 32, 64, 128, 256, 320, VLLMMaxRank} }

// Serving says what vLLM needs for the adapter on these targets. vLLM refuses DoRA, biases and saved modules
// (vllm/lora/peft_helper.py, 2026). It reads neither rank_pattern nor alpha_pattern, and scales every module as the adapter's r and
// lora_alpha say: they are unsupported where a module's own scaling is another.
func (l Spec) Serving(targets []Module) Serving {
	s := Serving{Rank: l.Rank, Unsupported: []string{}}
	if len(targets) > 0 {
		s.Rank = 0
	}
	scaled := false
	for _, m := range targets {
		s.Rank = max(s.Rank, l.RankOf(m.Name))
		scaled = scaled || l.ScalingOf(m.Name) != l.Scaling()
	}
	if l.Init == InitPiSSA {
		s.Rank *= 2 // as PEFT converts it, and as it is written
	}
	for _, r := range vllmRanks() {
		if r >= s.Rank {
			s.MaxLoRARank = &r
			break
		}
	}
	for _, u := range []struct {
		set  bool
		name string
	}{
		{l.UseDoRA, "use_dora"},
		{l.Bias != "", "bias"},
		{len(l.ModulesToSave) > 0, "modules_to_save"},
		{scaled && len(l.RankPattern) > 0, "rank_pattern"},
		{scaled && len(l.AlphaPattern) > 0, "alpha_pattern"},
	} {
		if u.set {
			s.Unsupported = append(s.Unsupported, u.name)
		}
	}
	return s
}

// Served reports whether vLLM serves the adapter as it was trained.
func (s Serving) Served() bool { return s.MaxLoRARank != nil && len(s.Unsupported) == 0 }
