"""Reference values for Rule.Judge, written from the rule's text with numpy and scipy, sharing no code with the Go version.

Run: python judge_reference.py > judge_reference.json   (Python 3.11, numpy 2.4, scipy 1.17; numbers do not depend on the
versions beyond 1e-12). The ladders: a measured ladder with noise that falls with rank, flat, U-shaped, improving, one seed.
"""
import json
import numpy as np
from scipy import optimize, special, stats


def trigamma_inverse(x):
    return optimize.brentq(lambda y: special.polygamma(1, y) - x, 1e-9, 1e9, xtol=1e-14, rtol=1e-14)


def prior(ranks, y, upto, floor):
    """d0, and the function that gives the variance of one gain at a rank."""
    n = y.shape[1]
    pairs = [(np.mean(np.log2(ranks[i:i + 2])), max(np.var(y[i] - y[i + 1], ddof=1), floor**2)) for i in range(upto)]
    if len(pairs) < 2 or n < 2:
        return 0.0, lambda r: 0.0
    x = np.array([p[0] for p in pairs])
    half = (n - 1) / 2
    z = np.log([p[1] for p in pairs]) - special.digamma(half) + np.log(half)
    coef, df = np.array([0.0, z.mean()]), len(pairs) - 1
    if len(pairs) >= 4:
        line, df_line = np.polyfit(x, z, 1), len(pairs) - 2
        if line[0] < 0:
            variance = max(np.sum((z - np.polyval(line, x))**2) / df_line, special.polygamma(1, half))
            slope = min(0.0, line[0] + np.sqrt(variance / np.sum((x - x.mean())**2)))
            coef, df = np.array([slope, z.mean() - slope * x.mean()]), df_line
    residual = np.sum((z - np.polyval(coef, x))**2) / df
    excess = residual - special.polygamma(1, half)
    cap = df * (n - 1) / 2
    d0 = cap if excess <= 0 else min(cap, 2 * trigamma_inverse(excess))
    return d0, lambda r: np.exp(np.polyval(coef, np.log2(r)))


def judge(ranks, y, min_gain, relative, patience, confidence, noise_sd):
    """The rule with stop: likely. Rows show each rank's latest comparison."""
    y = np.array(y, float)
    n = y.shape[1]
    mg = min_gain * y[0].mean() if relative else min_gain
    floor = 1e-3 * mg
    level = 1 - (1 - confidence) / 2

    def compare(b, r, upto):
        diff = y[b] - y[r]
        d = diff.mean()
        d0, level_at = prior(ranks, y, upto, floor)
        s2 = diff.var(ddof=1) if n > 1 else 0.0
        nu = d0 + n - 1
        if nu > 0:
            s02 = (level_at(ranks[b]) + level_at(ranks[r])) / 2
            sd, dist = np.sqrt((d0 * s02 + (n - 1) * s2) / nu), stats.t(nu)
        else:
            sd, dist = np.sqrt(2) * noise_sd, stats.norm
        sd = max(sd, floor)
        half = dist.ppf(level) * sd / np.sqrt(n)
        lo, hi = d - half, d + half
        p = dist.sf((mg - d) * np.sqrt(n) / sd)
        decision = ("improved" if lo > 0 and d >= mg else "worse" if hi < 0 else "flat" if hi < mg else "unresolved")
        return dict(rank=ranks[r], incumbent=ranks[b], gain=d, lo=lo, hi=hi, sd=sd, d0=d0, nu=nu, p=p, decision=decision)

    def certain(t):
        width = 1 if t["nu"] > 0 else 1.25  # one noise_sd stands for all ranks, and low ones are noisier
        return t["gain"] + width * (t["hi"] - t["gain"]) < mg

    b, count, rows, stopped = 0, 0, [None], False
    for r in range(1, len(ranks)):
        rows.append(compare(b, r, r))
        if rows[r]["decision"] == "improved":
            b, count = r, 0
        else:
            count = count + 1 if rows[r]["p"] < 0.2 else 0
        rows[r]["count"] = count
        while count == patience and not stopped:
            tried = rows[b + 1:]
            likely = 1 - sum(t["p"] for t in tried) >= (0.8 if n == 1 else 0.9)
            if all(map(certain, tried)) or likely:
                stopped = True
                break
            gains = np.array([-np.inf if t["decision"] == "worse" else t["gain"] for t in tried])
            if np.isinf(gains).all():
                stopped = True
                break
            b, count = b + 1 + int(np.argmax(gains > 0) if (gains > 0).any() else np.argmax(gains)), 0
            for j in range(b + 1, r + 1):
                rows[j] = dict(compare(b, j, r), count=rows[j]["count"])
                count = min(count + 1, patience) if rows[j]["p"] < 0.2 else 0
        if stopped:
            break
    counted = len(rows)
    mean = y[:counted].mean(axis=1)
    if stopped and all(map(certain, rows[b + 1:])):
        recommended = int(np.argmin(mean[:b + 1]))
    else:
        recommended = int(np.argmax(mean < mean.min() + mg))
    return dict(recommended=ranks[recommended], incumbent=ranks[b], min_gain=mg, rows=rows[1:], stopped=stopped)


def main():
    rng = np.random.default_rng(20261123)
    ranks = [1, 2, 4, 8, 16, 32, 64]
    measured = [4.793, 4.712, 4.630, 4.570, 4.539, 4.524, 4.514]
    sd = np.array([.026, .021, .017, .012, .009, .005, .002])
    shapes = {
        "measured": measured,
        "flat": [4.8] * 7,
        "u-shape": [4.8, 4.7, 4.65, 4.68, 4.74, 4.83, 4.9],
        "improving": [4.8, 4.7, 4.6, 4.5, 4.4, 4.3, 4.2],
        "slow tail": [4.8, 4.78, 4.765, 4.75, 4.735, 4.72, 4.705],
    }
    cases = []
    for name, means in shapes.items():
        for seeds in (1, 2, 3, 5):
            for min_gain, relative in ((0.005, True), (0.01, False)):
                y = np.array(means)[:, None] + rng.normal(0, .037, (1, seeds)) + rng.normal(size=(7, seeds)) * sd[:, None]
                y = np.round(y, 5)
                settings = dict(min_gain=min_gain, relative=relative, patience=2, confidence=0.95, noise_sd=0.012)
                cases.append(dict(name=f"{name}, {seeds} seeds, {min_gain}", ranks=ranks, y=y.tolist(), **settings,
                                  want=judge(ranks, y, **settings)))
    print(json.dumps(dict(
        trigamma_inverse=[[x, float(trigamma_inverse(x))] for x in (1e-3, .05, .5, 1.6449340668482264, 4.2, 60.0, 5e4)],
        cases=cases), indent=None, separators=(",", ":")))


main()
