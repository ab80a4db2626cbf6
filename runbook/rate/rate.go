package rate

import (
	"slices"

	"rollbackbot/runbook"
)

// median is the middle of the samples' rates; the mean of the two in the middle where they are even. There is at least
// one.
func median(samples []runbook.Sample) float64 {
	rates := make([]float64, len(samples))
	for i, s := range samples {
		rates[i] = s.Rate
	}
	slices.Sort(rates)
	middle := len(rates) / 2
	if len(rates)%2 == 1 {
		return rates[middle]
	}
	return (rates[middle-1] + rates[middle]) / 2
}

// Thinned leaves at most n of the samples, evenly.
func Thinned(samples []runbook.Sample, n int) []runbook.Sample {
	if len(samples) <= n {
		return samples
	}
	out := make([]runbook.Sample, n)
	for i := range out {
		out[i] = samples[i*(len(samples)-1)/(n-1)]
	}
	return out
}
