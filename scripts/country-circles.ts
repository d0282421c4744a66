/**
 * `node scripts/country-circles.ts DIR`: makes the table in src/places/countries.ts anew, from the
 * packages world-atlas (Natural Earth, public domain), topojson-client and i18n-iso-countries,
 * which lie in DIR/node_modules and are no part of the project. Prints a line a country: its code,
 * then circles as latitude,longitude,kilometres that together cover its border and a grid inside.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

type Spot = readonly [longitude: number, latitude: number];
type Vector = readonly [number, number, number];
interface Feature {
  readonly id?: string;
  readonly properties: { readonly name: string };
  readonly geometry:
    | { readonly type: "Polygon"; readonly coordinates: readonly (readonly Spot[])[] }
    | { readonly type: "MultiPolygon"; readonly coordinates: readonly (readonly Spot[][])[] };
}

const load = createRequire(join(resolve(process.argv[2] ?? "."), "package.json"));
const earthKm = 6371;
const radian = Math.PI / 180;
const vertexCountMax = 2500;
const circlesMax = 24;

/** Parts of a state that have a code of their own. */
const parts: Readonly<Record<string, (longitude: number, latitude: number) => string>> = {
  FR: (longitude, latitude) => {
    if (latitude >= 40) return "FR";
    if (longitude < -53 && latitude < 7) return "GF";
    if (longitude < 0) return latitude > 15.7 ? "GP" : "MQ";
    return longitude > 55 ? "RE" : "YT";
  },
  NO: (longitude, latitude) => {
    if (latitude < 0) return "BV";
    return latitude > 72 || longitude < 0 ? "SJ" : "NO";
  },
  NZ: (_longitude, latitude) => (latitude > -12 ? "TK" : "NZ"),
  NL: (_longitude, latitude) => (latitude < 30 ? "BQ" : "NL"),
};
/** What the map has under a name and no number. */
const unnumbered: Readonly<Record<string, string>> = {
  Kosovo: "XK", "N. Cyprus": "CY", Somaliland: "SO",
};

const countries = [...ringsOfCountries()].sort(([one], [other]) => (one < other ? -1 : 1));
for (const [code, rings] of countries) {
  process.stdout.write(`${code} ${circlesOf(rings).join(" ")}\n`);
}

function ringsOfCountries(): ReadonlyMap<string, (readonly Spot[])[]> {
  const { feature } = load("topojson-client");
  const codes = load("i18n-iso-countries/codes.json") as readonly (readonly string[])[];
  const byNumber = new Map(codes.map(([alpha = "", , number = ""]) => [number, alpha]));
  const atlas = JSON.parse(readFileSync(load.resolve("world-atlas/countries-50m.json"), "utf8"));
  const found = new Map<string, (readonly Spot[])[]>();
  const features = feature(atlas, "countries").features as readonly Feature[];
  for (const { id = "", properties, geometry } of features) {
    const state = byNumber.get(id) ?? unnumbered[properties.name];
    // The pole is a circle by hand: its ring goes around the edge of the map.
    if (state === undefined || state === "AQ") continue;
    const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
    for (const [ring] of polygons) {
      if (ring?.[0] === undefined) continue;
      const code = parts[state]?.(ring[0][0], ring[0][1]) ?? state;
      found.set(code, [...(found.get(code) ?? []), unbroken(ring)]);
    }
  }
  return found;
}

/** A ring over the 180th meridian, without the break. */
function unbroken(ring: readonly Spot[]): readonly Spot[] {
  const longitudes = ring.map(([longitude]) => longitude);
  if (Math.max(...longitudes) - Math.min(...longitudes) <= 180) return ring;
  return ring.map(([longitude, latitude]) => [(longitude + 360) % 360, latitude]);
}

function circlesOf(rings: readonly (readonly Spot[])[]): readonly string[] {
  const all = rings.flatMap(pointsOf);
  const every = Math.ceil(all.length / vertexCountMax);
  const some = all.filter((_, at) => at % every === 0);
  const wholeKm = smallest(some).radiusKm;
  const centres = covering(some, wholeKm < 450 ? 450 : 650);
  const radii = centres.map(() => 0);
  for (const point of all) {
    const gaps = centres.map(({ centre, radiusKm }) => distanceKm(centre, point) - radiusKm);
    const nearest = gaps.indexOf(Math.min(...gaps));
    const km = distanceKm((centres[nearest] as Circle).centre, point);
    radii[nearest] = Math.max(radii[nearest] as number, km);
  }
  const marginKm = wholeKm > 150 ? 60 : 15;
  return centres.map(({ centre: [x, y, z] }, at) => {
    const latitude = (Math.asin(z) / radian).toFixed(1);
    const longitude = (Math.atan2(y, x) / radian).toFixed(1);
    return `${latitude},${longitude},${Math.ceil((radii[at] as number) + marginKm)}`;
  });
}

/** The border's corners, and a grid of a degree inside. */
function pointsOf(ring: readonly Spot[]): readonly Vector[] {
  const found = ring.map(vectorOf);
  const [longitudes, latitudes] = [ring.map(([x]) => x), ring.map(([, y]) => y)];
  for (let y = Math.ceil(Math.min(...latitudes)); y <= Math.max(...latitudes); y++) {
    const step = Math.min(5, 1 / Math.max(0.1, Math.cos(y * radian)));
    for (let x = Math.min(...longitudes) + step / 2; x <= Math.max(...longitudes); x += step) {
      if (isInside([x, y], ring)) found.push(vectorOf([x, y]));
    }
  }
  return found;
}

function isInside([x, y]: Spot, ring: readonly Spot[]): boolean {
  let inside = false;
  for (let at = 0; at < ring.length; at++) {
    const [[x1, y1], [x2, y2]] = [ring[at] as Spot, ring.at(at - 1) as Spot];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}

interface Circle {
  readonly centre: Vector;
  readonly radiusKm: number;
}

/** As few circles as keep under the radius: k centres, moved to the middle of what they have. */
function covering(points: readonly Vector[], radiusKm: number): readonly Circle[] {
  for (let count = 1; ; count++) {
    let circles = furthest(points, count).map((centre): Circle => ({ centre, radiusKm: 0 }));
    for (let round = 0; round < 12; round++) {
      const own = circles.map((): Vector[] => []);
      for (const point of points) {
        const gaps = circles.map(({ centre }) => distanceKm(centre, point));
        own[gaps.indexOf(Math.min(...gaps))]?.push(point);
      }
      circles = own.filter(({ length }) => length > 0).map(smallest);
    }
    const isFine = circles.every((circle) => circle.radiusKm <= radiusKm);
    if (isFine || count >= circlesMax) return circles;
  }
}

function furthest(points: readonly Vector[], count: number): readonly Vector[] {
  const chosen = [points[0] as Vector];
  while (chosen.length < count) {
    const gaps = points.map((point) => Math.min(...chosen.map((one) => distanceKm(one, point))));
    chosen.push(points[gaps.indexOf(Math.max(...gaps))] as Vector);
  }
  return chosen;
}

/** The smallest enclosing circle, by steps towards the furthest point (Badoiu and Clarkson). */
function smallest(points: readonly Vector[]): Circle {
  let centre = unit(points.reduce(plus, [0, 0, 0]));
  for (let step = 1; step < 400; step++) {
    const gaps = points.map((point) => distanceKm(centre, point));
    const far = points[gaps.indexOf(Math.max(...gaps))] as Vector;
    const share = 1 / (step + 1);
    centre = unit(plus(times(centre, 1 - share), times(far, share)));
  }
  return { centre, radiusKm: Math.max(...points.map((point) => distanceKm(centre, point))) };
}

function vectorOf([longitude, latitude]: Spot): Vector {
  const [east, north] = [longitude * radian, latitude * radian];
  return [Math.cos(north) * Math.cos(east), Math.cos(north) * Math.sin(east), Math.sin(north)];
}

function distanceKm(one: Vector, other: Vector): number {
  const product = one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
  return earthKm * Math.acos(Math.min(1, Math.max(-1, product)));
}

function plus(one: Vector, other: Vector): Vector {
  return [one[0] + other[0], one[1] + other[1], one[2] + other[2]];
}

function times([x, y, z]: Vector, factor: number): Vector {
  return [x * factor, y * factor, z * factor];
}

function unit(vector: Vector): Vector {
  return times(vector, 1 / Math.hypot(...vector));
}
