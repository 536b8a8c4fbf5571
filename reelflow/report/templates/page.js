"use strict";
// The map of movies: a canvas that can be moved and zoomed, names under the pointer, a search.
for (const box of document.querySelectorAll("[data-map]")) {
  const { points, groups, places } = JSON.parse(document.getElementById(box.dataset.map).textContent);
  const canvas = box.querySelector("canvas");
  const status = box.querySelector(".status");
  const search = box.querySelector("input[type=search]");
  const pen = canvas.getContext("2d");
  const hidden = new Set();
  const overview = { x: 0, y: 0, scale: 1 };
  const other = groups.length - 1;
  let view = { ...overview };
  let chosen = -1;

  const styled = (name) => getComputedStyle(box).getPropertyValue(name).trim();
  const colour = (group) => `--c${group === other ? 7 : group % 7}`;
  const place = ([x, y]) => {
    const { clientWidth: w, clientHeight: h } = canvas;
    return [w / 2 + (x - view.x) * view.scale * w * 0.47,
            h / 2 - (y - view.y) * view.scale * h * 0.47];
  };
  const radius = (point) => (1.8 + 5 * point[4]) * Math.min(2, Math.sqrt(view.scale));

  function label(index) {
    const [x, y] = place(points[index]);
    pen.font = "600 13px system-ui, sans-serif";
    const width = pen.measureText(points[index][2]).width;
    const left = Math.max(6, Math.min(x + 9, canvas.clientWidth - width - 8));
    pen.fillStyle = styled("--paper");
    pen.globalAlpha = 0.9;
    pen.fillRect(left - 4, y - 25, width + 8, 19);
    pen.globalAlpha = 1;
    pen.fillStyle = styled("--ink");
    pen.fillText(points[index][2], left, y - 11);
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: w, clientHeight: h } = canvas;
    canvas.width = w * ratio;
    canvas.height = h * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const colours = groups.map((_, group) => styled(colour(group)));
    for (let i = points.length - 1; i >= 0; i--) {  // the most rated on top
      const point = points[i];
      if (hidden.has(point[3])) continue;
      const [x, y] = place(point);
      if (x < -9 || y < -9 || x > w + 9 || y > h + 9) continue;
      pen.globalAlpha = point[3] === other ? 0.45 : 0.75;
      pen.fillStyle = colours[point[3]];
      pen.beginPath();
      pen.arc(x, y, radius(point), 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    pen.font = "700 14px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    for (const one of places) {
      const [x, y] = place(one);
      pen.strokeStyle = styled("--paper");
      pen.strokeText(one[2], x, y);
      pen.fillStyle = styled("--ink");
      pen.fillText(one[2], x, y);
    }
    pen.textAlign = "left";
    if (chosen < 0) return;
    const [x, y] = place(points[chosen]);
    pen.lineWidth = 2;
    pen.strokeStyle = styled("--ink");
    pen.beginPath();
    pen.arc(x, y, radius(points[chosen]) + 3, 0, 7);
    pen.stroke();
    label(chosen);
  }

  function choose(index) {
    if (index === chosen) return;
    chosen = index;
    const near = index < 0 ? [] : points[index][6].map((other) => points[other][2]);
    status.textContent = index < 0 ? "" : `${points[index][2]} · ${points[index][5]}${near.length ? ` · like ${near.join("; ")}` : ""}`;
    draw();
  }

  function nearest(x, y) {
    let best = -1;
    let least = 15 * 15;
    points.forEach((point, i) => {
      if (hidden.has(point[3])) return;
      const [px, py] = place(point);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const { clientWidth: w, clientHeight: h } = canvas;
    const scale = Math.max(1, Math.min(60, view.scale * factor));
    const across = (x - w / 2) / (w * 0.47);
    const up = (h / 2 - y) / (h * 0.47);
    view.x += across / view.scale - across / scale;
    view.y += up / view.scale - up / scale;
    view.scale = scale;
    if (scale === 1) view = { ...overview };
    draw();
  }

  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    from = [event.offsetX, event.offsetY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (from && event.buttons && view.scale > 1) {
      view.x -= (event.offsetX - from[0]) / (view.scale * canvas.clientWidth * 0.47);
      view.y += (event.offsetY - from[1]) / (view.scale * canvas.clientHeight * 0.47);
      from = [event.offsetX, event.offsetY];
      draw();
    } else {
      choose(nearest(event.offsetX, event.offsetY));
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    from = null;
    choose(nearest(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointercancel", () => { from = null; });
  canvas.addEventListener("wheel", (event) => {
    const factor = event.deltaY < 0 ? 1.2 : 1 / 1.2;
    if (factor < 1 && view.scale === 1) return;  // the page scrolls
    event.preventDefault();
    zoom(factor, event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 0.15 / view.scale;
    const moves = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step],
    };
    if (event.key === "+" || event.key === "-") {
      zoom(event.key === "+" ? 1.6 : 0.625);
    } else if (event.key in moves && view.scale > 1) {
      view.x += moves[event.key][0];
      view.y += moves[event.key][1];
      draw();
    } else {
      return;
    }
    event.preventDefault();
  });
  for (const button of box.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const factor = Number(button.dataset.zoom);
      if (factor) return zoom(factor);
      view = { ...overview };
      draw();
    });
  }

  search.addEventListener("input", () => {
    const query = search.value.trim().toLowerCase();
    if (!query) return choose(-1);
    const starts = points.findIndex((point) => point[2].toLowerCase().startsWith(query));
    const match = starts >= 0 ? starts
      : points.findIndex((point) => point[2].toLowerCase().includes(query));
    if (match >= 0) {
      view = { x: points[match][0], y: points[match][1], scale: Math.max(view.scale, 3) };
    }
    choose(match);
    draw();
  });
  const names = box.querySelector("datalist");
  for (const point of points.slice(0, 500)) names.append(new Option(point[2]));

  groups.forEach((name, group) => {
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.checked = true;
    tick.addEventListener("change", () => {
      if (tick.checked) hidden.delete(group); else hidden.add(group);
      draw();
    });
    const dot = document.createElement("i");
    dot.style.background = `var(${colour(group)})`;
    const line = document.createElement("label");
    line.append(tick, dot, name);
    const item = document.createElement("li");
    item.append(line);
    box.querySelector(".legend").append(item);
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
