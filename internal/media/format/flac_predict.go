package format

import "math"

const (
	// maxOrder is the most samples that a sample is predicted from. Six would make
	// speech smaller by 2 % and take 7 % more time.
	maxOrder = 4
	// precision of the coefficients, in bits with their sign.
	precision = 12
)

// A predictor is a linear one (RFC 9639 §9.2.6): a sample is about the sum of
// coef[j] times the sample j+1 before it, shifted right. Of order 0 it predicts silence.
type predictor struct {
	order int
	shift uint
	coef  [maxOrder]int32
}

// An analyser finds predictors. It is scratch space, reused. Its products are
// converted so that no compiler fuses them with a sum: a recording is the same file
// whatever the machine.
type analyser struct {
	windowed [blockSamples + maxOrder]float64
	lags     [maxOrder + 1]float64
	coef     [maxOrder][maxOrder]float64 // coef[m-1] is the predictor of order m
	errors   [maxOrder + 1]float64       // what order m leaves of the energy
}

// predictor finds a good one for a block.
func (a *analyser) predictor(s []int32) predictor {
	if len(s) < 2*maxOrder {
		return predictor{}
	}
	a.correlate(s)
	return a.quantise(a.order(a.solve(), len(s)))
}

// correlate computes the autocorrelation of a block under a parabolic (Welch)
// window.
func (a *analyser) correlate(s []int32) {
	x := a.windowed[:len(s)+maxOrder]
	step := 2 / float64(len(s)+1)
	t := step - 1
	for i, v := range s {
		x[i] = float64(v) * (1 - float64(t*t))
		t += step
	}
	clear(x[len(s):])
	var r0, r1, r2, r3, r4 float64
	for i := range s {
		y := x[i : i+maxOrder+1 : i+maxOrder+1]
		v := y[0]
		r0 += float64(v * v)
		r1 += float64(v * y[1])
		r2 += float64(v * y[2])
		r3 += float64(v * y[3])
		r4 += float64(v * y[4])
	}
	a.lags = [...]float64{r0, r1, r2, r3, r4}
}

// solve finds the predictors of all orders by the recursion of Levinson and
// Durbin and returns how many there are.
func (a *analyser) solve() int {
	a.errors[0] = a.lags[0]
	for m := range maxOrder {
		e := a.errors[m]
		if e <= 0 {
			return m
		}
		k := a.lags[m+1]
		for j := range m {
			k -= float64(a.coef[m-1][j] * a.lags[m-j])
		}
		k /= e
		for j := range m {
			a.coef[m][j] = a.coef[m-1][j] - float64(k*a.coef[m-1][m-1-j])
		}
		a.coef[m][m] = k
		a.errors[m+1] = e * (1 - float64(k*k))
	}
	return maxOrder
}

// order returns the order, up to top, that will take the fewest bits of a block of
// n samples. A sample takes half the binary logarithm of the energy that is left; an
// order takes a coefficient and a sample as it is. So each order must make the
// energy smaller by the factor 2^(2/n) for each of these bits, which is about this.
func (a *analyser) order(top, n int) (best int) {
	const bits = precision + 16
	factor := 1 + 2*math.Ln2*bits/float64(n)
	least, price := math.Inf(1), 1.0
	for m := range top + 1 {
		// Residuals that are all 0 take a bit, too.
		if size := max(a.errors[m], float64(n)) * price; size < least {
			best, least = m, size
		}
		price *= factor
	}
	return best
}

// quantise rounds the coefficients of a predictor to integers, what it took from
// one being carried to the next.
func (a *analyser) quantise(order int) predictor {
	if order == 0 {
		return predictor{}
	}
	coef := a.coef[order-1][:order]
	var largest float64
	for _, c := range coef {
		largest = max(largest, math.Abs(c))
	}
	_, exponent := math.Frexp(largest)
	shift := min(precision-1-exponent, 15)
	if shift < 0 || largest == 0 || math.IsNaN(largest) {
		return predictor{}
	}
	p := predictor{order: order, shift: uint(shift)}
	var carry float64
	const limit = 1 << (precision - 1)
	for j, c := range coef {
		carry += float64(c * float64(int(1)<<shift))
		q := min(max(math.Round(carry), -limit), limit-1)
		p.coef[j] = int32(q)
		carry -= q
	}
	return p
}

// residuals folds what the predictor leaves of s into dst; maxOrder samples go
// before those to be predicted. Nothing overflows: four coefficients of 12 bits times
// samples of 16 make a number of 30.
func (p *predictor) residuals(dst []uint32, s []int32) partition {
	dst = dst[:len(s)-maxOrder]
	var sum uint64
	var ones uint32
	shift := p.shift & 31
	c1, c2, c3, c4 := p.coef[0], p.coef[1], p.coef[2], p.coef[3]
	for i := range dst {
		y := s[i : i+5 : i+5]
		r := y[4] - (c1*y[3]+c2*y[2]+c3*y[1]+c4*y[0])>>shift
		u := fold(r)
		dst[i] = u
		sum += uint64(u)
		ones |= u
	}
	return partition{uint64(len(dst)), sum, ones}
}

// fold numbers residuals: 0, -1, 1, -2 and so on are 0, 1, 2, 3 and so on.
func fold(r int32) uint32 { return uint32(r<<1) ^ uint32(r>>31) } //nolint:gosec // the same bits

// unfold is the residual of a number.
func unfold(u uint32) int32 { return int32(u>>1) ^ -int32(u&1) }
