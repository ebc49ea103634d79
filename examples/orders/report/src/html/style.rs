//! The page's style sheet.

pub(super) const CSS: &str = "
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1c2024; --muted: #5d6670; --grid: #e2e5e9;
  --naive: #d9622b; --tuned: #1677a8; --good: #1d7f45; --bad: #c22f2f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1c2024; --ink: #e8eaed; --muted: #a0a8b2; --grid: #333a42;
    --naive: #f08a54; --tuned: #56b6e6; --good: #5ac98a; --bad: #f07070;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 2.8rem 0 .8rem; }
h3 { font-size: 1.02rem; margin: 0; }
p { margin: .3rem 0; }
.lead { font-size: 1.1rem; color: var(--muted); max-width: 46rem; }
.muted { color: var(--muted); }
.naive { color: var(--naive); } .tuned { color: var(--tuned); }
.good { color: var(--good); } .bad { color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 1rem; margin-top: 1.8rem; }
.card, figure { background: var(--card); border: 1px solid var(--grid); border-radius: 10px; padding: 1rem 1.1rem; margin: 0; }
.card b { display: block; font-size: 2rem; line-height: 1.2; }
.card span { color: var(--muted); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--grid); text-align: right; white-space: nowrap; }
th { color: var(--muted); font-weight: 600; font-size: .88rem; }
th:first-child, td:first-child { text-align: left; white-space: normal; padding-left: 0; }
td small { color: var(--muted); margin-left: .35rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 1rem; }
figure svg { display: block; width: 100%; height: auto; margin-top: .6rem; }
figure text { font-family: system-ui, sans-serif; }
figcaption { color: var(--muted); font-size: .88rem; margin-top: .5rem; }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .9rem; margin-top: .35rem; }
.keys i { display: inline-block; width: 1.6rem; border-top: 3px solid currentColor; vertical-align: middle; margin-right: .4rem; }
.keys i.dashed { border-top-style: dashed; }
.keys em { color: var(--ink); font-style: normal; }
.pair { display: grid; grid-template-columns: 3.6rem 1fr auto; gap: .25rem .7rem; align-items: center; margin-top: .6rem;
  font-size: .92rem; font-variant-numeric: tabular-nums; }
.pair div { height: .95rem; border-radius: 3px; background: currentColor; min-width: 2px; }
.pair span:last-child, .pair span:nth-child(3n) { text-align: right; color: var(--ink); }
details { border: 1px solid var(--grid); border-radius: 10px; background: var(--card); margin: .8rem 0; }
summary { cursor: pointer; padding: .8rem 1.1rem; font-weight: 600; }
iframe { display: block; width: 100%; border: 0; border-radius: 0 0 10px 10px; background: #fff; }
ul { list-style: none; margin: 0; padding: 0; }
li { padding: .3rem 0; border-bottom: 1px solid var(--grid); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .3rem 1.2rem; margin: 0; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--grid); border-radius: 8px; padding: .7rem .9rem; margin: .3rem 0 1rem;
  overflow-x: auto; }
a { color: var(--tuned); }
@media print { details { break-inside: avoid; } iframe { display: none; } }
";
