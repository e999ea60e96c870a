# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parts of the bench write down, and how it is shown."""

from __future__ import annotations

import csv
import html
import math
import sys


def say(what):
    """What is being done, beside the table."""
    print(what, file=sys.stderr, flush=True)


class Table:
    """What was measured: rows of name, value, what it is held against, their ratio, and its target if it has one."""

    def __init__(self):
        self.rows = []
        self.rates = {}  # requests per second, of which there is a picture

    def add(self, name, value, against, base, target):
        """`target` as in ">= 0.85", or empty; a base of None means that the value itself is the ratio."""
        ratio = value if base is None else value / base
        sign, _space, bound = target.partition(" ")
        verdict = ""
        if target:
            met = ratio >= float(bound) if sign == ">=" else ratio <= float(bound)
            verdict = "met" if met else "missed"
        self.rows.append((name, value, against, base, ratio, target, verdict))
        say(f"{name}: {ratio:.3g} {target} {verdict}")

    def print(self):
        print(f"\n{'':58}{'value':>10}  {'against':40}{'value':>10}{'ratio':>9}{'target':>9}")
        for name, value, against, base, ratio, target, verdict in self.rows:
            held = "" if base is None else f"{base:.4g}"
            print(f"{name:58}{value:10.4g}  {against:40}{held:>10}{ratio:9.3g}{target:>9} {verdict}")

    def write(self, path):
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["what", "value", "against", "value of that", "ratio", "target", "verdict"])
            writer.writerows(self.rows)

    @property
    def missed(self):
        return any(row[-1] == "missed" for row in self.rows)


def picture(rates):
    """Bars on a logarithmic scale, longest first."""
    bars = sorted(rates.items(), key=lambda pair: -pair[1])
    lines = []
    for row, (name, value) in enumerate(bars):
        width = 120 * math.log10(max(value, 1))
        colour = "#2b6cb0" if " here" in name else "#a0aec0"
        y = 50 + 34 * row
        lines.append(
            f'<text x="300" y="{y + 17}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="310" y="{y}" width="{width:.0f}" height="24" fill="{colour}"/>'
            f'<text x="{316 + width:.0f}" y="{y + 17}">{value:,.0f}</text>'
        )
    body, height = "\n".join(lines), 70 + 34 * len(bars)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="1060" height="{height}"
    font-family="sans-serif" font-size="15">
<rect width="100%" height="100%" fill="white"/>
<text x="310" y="30" font-weight="bold">Pages a second, 16 connections, one machine, one run (logarithmic)</text>
{body}
</svg>
"""
