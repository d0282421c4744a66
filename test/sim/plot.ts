/** A series as an SVG of a few hundred bytes and its lines: axes, ticks, names. Nothing moves. */
import type { Line, Series } from "./figure.ts";

const size = { width: 640, height: 360, left: 64, right: 16, top: 32, bottom: 48 } as const;
const colours = ["#1f5fa8", "#c2571a", "#3a7d44", "#7a4b94"] as const;
const ticks = 5;

interface Frame {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly xMax: number;
  readonly yMax: number;
}

export function svgOf(series: Series): string {
  const frame = frameOf(series.lines);
  const { width, height } = size;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"`,
    ` font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text({ x: size.left, y: 18, words: `${series.name}: ${series.y}` }),
    text({ x: width / 2, y: height - 10, words: series.x, anchor: "middle" }),
    ...axes(frame),
    ...series.lines.flatMap((line, at) => drawn(line, frame, at)),
    "</svg>", "",
  ].join("\n");
}

function frameOf(lines: readonly Line[]): Frame {
  const points = lines.flatMap((line) => line.points);
  const xMax = points.reduce((most, [x]) => Math.max(most, x), 0) || 1;
  const yMax = roundUp(points.reduce((most, [, y]) => Math.max(most, y), 0) || 1);
  const across = size.width - size.left - size.right;
  const down = size.height - size.top - size.bottom;
  return {
    xMax, yMax,
    x: (value) => size.left + (across * value) / xMax,
    y: (value) => size.height - size.bottom - (down * value) / yMax,
  };
}

/** The next of 1, 2, 5 and their tens. */
function roundUp(value: number): number {
  const ten = 10 ** Math.floor(Math.log10(value));
  return ten * ([1, 2, 5, 10].find((step) => step * ten >= value) ?? 10);
}

function axes({ x, y, xMax, yMax }: Frame): string[] {
  const steps = Array.from({ length: ticks + 1 }, (_, at) => at / ticks);
  const [left, right, low] = [x(0), x(xMax), y(0)];
  return steps.flatMap((share) => {
    const [across, up] = [share * xMax, share * yMax];
    const height = y(up).toFixed(1);
    return [
      `<path d="M${left} ${height}H${right}" stroke="${share === 0 ? "#444" : "#ddd"}"/>`,
      text({ x: left - 6, y: y(up) + 4, words: short(up), anchor: "end" }),
      text({ x: x(across), y: low + 18, words: short(across), anchor: "middle" }),
    ];
  });
}

function drawn({ name, points }: Line, { x, y }: Frame, at: number): string[] {
  const colour = colours[at % colours.length] as string;
  const path = points.map(([px, py]) => `${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("L");
  return [
    `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
    text({ x: size.width - size.right, y: size.top + 14 * (at + 1), words: name, anchor: "end",
      fill: colour }),
  ];
}

function text({ x, y, words, anchor = "start", fill = "#222" }: {
  readonly x: number; readonly y: number; readonly words: string;
  readonly anchor?: "start" | "middle" | "end"; readonly fill?: string;
}): string {
  const told = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}"`;
  return `<text ${place} text-anchor="${anchor}" fill="${fill}">${told}</text>`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
