#!/usr/bin/env python3
"""Could a rung stop early once its validation curve is hopeless? Counts on stored curves what a stop would have cost and saved.

usage: earlyflat.py SWEEP.DB...   Every ladder with two seeds and three ranks, and its evaluations.

For each rung and each evaluation before the last, the gain over the incumbent so far, paired by seed and step, is carried to the last step by
what the gains of the rungs already finished still changed from that share of the steps on: mean and spread over their seeds. The rung stops at
the first evaluation where the chance of a final gain of min_gain is below a limit. A stop is false where the final gain reaches min_gain.
"""
import collections, math, sqlite3, statistics, sys

SHARE = 0.005  # min_gain, of the lowest rank's loss


def student_tail(x, df):
    """1 - T_df(x), by Simpson's rule."""
    if x < 0:
        return 1 - student_tail(-x, df)
    c = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    n, hi = 400, math.atan(x / math.sqrt(df))
    h = hi / n
    f = lambda u: math.cos(u) ** (df - 1)
    area = sum((1 if i in (0, n) else 4 if i % 2 else 2) * f(i * h) for i in range(n + 1)) * h / 3
    return max(0.0, 0.5 - c * math.sqrt(df) * area)


def ladders(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = db.execute("""SELECT t.sweep, t.ladder, t.rank, t.seed, e.step, v.val_loss, t.steps FROM trials t JOIN attempts a ON a.trial_id = t.id
        JOIN events e ON e.attempt_id = a.id JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
        WHERE t.state = 'done' AND e.step > 0 ORDER BY t.ladder, t.rank, t.seed, e.step""")
    found = collections.defaultdict(lambda: collections.defaultdict(dict))
    for sweep, ladder, rank, seed, step, loss, steps in rows:
        found[sweep, ladder][rank].setdefault(seed, {})[step / steps] = loss
    seen = []
    for key, ranks in found.items():
        curves = {r: {s: running_min(c) for s, c in by.items()} for r, by in ranks.items()}
        seeds = set.intersection(*(set(by) for by in curves.values()))
        if len(seeds) > 1 and len(curves) > 2 and curves not in seen:  # sweeps that share their trials count once
            seen.append(curves)
            yield f"{path} {key[0]} {key[1]}", curves, sorted(seeds)


def running_min(curve):
    best, out = math.inf, {}
    for share in sorted(curve):
        best = min(best, curve[share])
        out[share] = best
    return out


def study(curves, seeds, limit, earliest):
    """Yields (stopped, false, share of the steps saved, final gain / min_gain) for every rung that has two finished ones below."""
    ranks = sorted(curves)
    min_gain = SHARE * statistics.mean(curves[ranks[0]][s][1.0] for s in seeds)
    gain = lambda b, r, s, e: curves[b][s][e] - curves[r][s][e]
    reference, incumbent = [], ranks[0]
    for rank in ranks[1:]:
        final = statistics.mean(gain(incumbent, rank, s, 1.0) for s in seeds)
        stopped = None
        for e in sorted(curves[rank][seeds[0]]):
            if e < earliest or e == 1.0 or not reference:
                continue
            changes = [gain(b, r, s, 1.0) - gain(b, r, s, e) for b, r in reference for s in seeds]
            m, n = len(changes), len(seeds)
            sd = max(statistics.stdev(changes), 1e-3 * min_gain)
            now = statistics.mean(gain(incumbent, rank, s, e) for s in seeds) + statistics.mean(changes)
            if student_tail((min_gain - now) / (sd * math.sqrt(1 / n + 1 / m)), m - 1) < limit:
                stopped = e
                break
        if reference:
            yield stopped is not None, stopped is not None and final >= min_gain, 1 - (stopped or 1), final / min_gain
        reference.append((incumbent, rank))
        if final >= min_gain:
            incumbent = rank


def main(paths):
    all_ladders = [x for p in paths for x in ladders(p)]
    for name, curves, seeds in all_ladders:
        print(f"{name}: {len(curves)} ranks, {len(seeds)} seeds, {len(curves[min(curves)][seeds[0]])} evaluations")
    print("| chance below | not before | rungs | of them gain | stopped | false | of stops | steps saved |\n|---|---|---|---|---|---|---|---|")
    for limit in (0.2, 0.05, 0.01, 0.001):
        for earliest in (0.2, 0.5, 0.75):
            rows = [r for _, c, s in all_ladders for r in study(c, s, limit, earliest)]
            stops, false = sum(r[0] for r in rows), sum(r[1] for r in rows)
            print(f"| {limit} | {earliest:.0%} | {len(rows)} | {sum(r[3] >= 1 for r in rows)} | {stops} | {false} | "
                  f"{false / max(1, stops):.1%} | {sum(r[2] for r in rows) / len(rows):.1%} |")


main(sys.argv[1:])
