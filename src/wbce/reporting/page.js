"use strict";
// The page is complete without this script; it moves the threshold and writes new figures in place.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { log_odds: logOdds, tp, fp } = data.cuts;
  const last = logOdds.length - 1;
  const slider = document.getElementById("threshold");
  const inputs = {
    perDay: document.getElementById("per-day"),
    falseAlarm: document.getElementById("cost-false-alarm"),
    miss: document.getElementById("cost-miss"),
  };
  const NONE = "-";

  // As the words of the text: the same digits.
  const grouped = (value, digits) =>
    value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const count = (value) =>
    Math.abs(value - Math.round(value)) < 1e-6 * Math.max(1, Math.abs(value))
      ? grouped(Math.round(value), 0) : grouped(value, 1);
  const rough = (value) => count(value >= 10 ? Math.round(value) : Math.round(value * 10) / 10);
  const share = (value) => {
    if (!Number.isFinite(value)) return NONE;
    const perCent = 100 * value;
    if (perCent >= 0.5 && perCent < 10) return `${perCent.toFixed(1)} %`;
    if (perCent > 99 && perCent < 100) return `${(Math.floor(perCent * 10) / 10).toFixed(1)} %`;
    return perCent >= 10 || perCent === 0
      ? `${perCent.toFixed(0)} %` : `${Number(perCent.toPrecision(2))} %`;
  };
  const number = (value) =>
    !Number.isFinite(value) ? NONE : value === 0 ? "0"
      : Math.abs(value) < 1e-3 ? String(Number(value.toPrecision(2)))
      : Math.abs(value) < 10 ? value.toFixed(3)
      : Math.abs(value) < 1000 ? String(Number(value.toPrecision(4))) : grouped(value, 0);
  const probability = (z) => {
    const p = 1 / (1 + Math.exp(-z));
    if (p <= 0.99) return String(Number(p.toPrecision(p >= 1e-4 ? 3 : 2)));
    const missing = Math.max(1 / (1 + Math.exp(z)), 1e-9);
    return p.toFixed(1 - Math.floor(Math.log10(missing)));
  };

  const value = (input, least) => {
    const said = input.valueAsNumber;
    const allowed = Number.isFinite(said) && said >= least;
    input.setAttribute("aria-invalid", String(!allowed));
    return allowed ? said : NaN;
  };
  const figures = (place) => {
    const found = tp[place], wrong = fp[place];
    const missed = data.positives - found, quiet = data.negatives - wrong;
    const perRow = value(inputs.perDay, 1e-9) / (data.positives + data.negatives);
    const cost = quiet * data.costs[0][0] + wrong * value(inputs.falseAlarm, 0)
      + missed * value(inputs.miss, 0) + found * data.costs[1][1];
    const alarms = found + wrong;
    return {
      found, wrong, missed, quiet,
      precision: alarms > 0 ? found / alarms : NaN,
      recall: found / data.positives,
      f1: (2 * found) / (alarms + data.positives),
      alarms: alarms * perRow,
      missedOfDay: missed * perRow,
      cost: cost * perRow,
    };
  };

  const write = (name, words) => {
    for (const place of document.querySelectorAll(`[data-out="${name}"]`)) place.textContent = words;
  };
  const move = (name, x, y) => {
    const svg = document.querySelector(`svg[data-plot="${name}"]`);
    const { left, right, top, bottom, low, high, highest } = svg.dataset;
    const along = (share, from, to) =>
      Number(from) + Math.min(Math.max(share, 0), 1) * (Number(to) - Number(from));
    const mark = svg.querySelector(".mark");
    const at = along((x - Number(low)) / (Number(high) - Number(low)), left, right);
    if (mark.tagName === "line") {
      mark.setAttribute("x1", at);
      mark.setAttribute("x2", at);
      return;
    }
    mark.setAttribute("cx", at);
    mark.setAttribute("cy", along(y / Number(highest), bottom, top));
  };
  const update = () => {
    const place = Number(slider.value);
    const now = figures(place);
    const at = probability(logOdds[place]);
    write("threshold", at);
    write("precision", share(now.precision));
    write("recall", share(now.recall));
    write("f1", number(now.f1));
    write("alarms", Number.isFinite(now.alarms) ? rough(now.alarms) : NONE);
    write("missed-of-day", Number.isFinite(now.missedOfDay) ? rough(now.missedOfDay) : NONE);
    write("cost", number(now.cost));
    write("found", count(now.found));
    write("wrong", count(now.wrong));
    write("missed", count(now.missed));
    write("quiet", count(now.quiet));
    write("which", place === data.chosen ? "as the classifier decides" : `at a threshold of ${at}`);
    slider.setAttribute(
      "aria-valuetext",
      `threshold ${at}: precision ${share(now.precision)}, recall ${share(now.recall)}, `
        + `${Number.isFinite(now.alarms) ? rough(now.alarms) : "no known number of"} alarms`,
    );
    move("precision-recall", now.recall, Number.isFinite(now.precision) ? now.precision : 1);
    move("threshold", logOdds[place], 0);
  };
  const best = (figure) => {
    let found = 0;
    for (let place = 1; place <= last; place += 1) {
      if (figure(figures(place)) > figure(figures(found))) found = place;
    }
    return found;
  };
  const places = {
    chosen: () => data.chosen,
    half: () => data.half,
    f1: () => best((now) => now.f1),
    cost: () => best((now) => -now.cost),
  };

  for (const part of document.querySelectorAll(".controls")) part.hidden = false;
  slider.max = String(last);
  slider.value = String(data.chosen ?? data.half);
  slider.addEventListener("input", update);
  for (const input of Object.values(inputs)) input.addEventListener("input", update);
  for (const button of document.querySelectorAll("button[data-to]")) {
    button.addEventListener("click", () => {
      slider.value = String(places[button.dataset.to]());
      update();
    });
  }
  // Where no cut decides, the figures stay the classifier's own until the slider moves.
  if (data.chosen !== null) update();
})();
