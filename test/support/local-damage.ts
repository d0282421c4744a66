/** What a disk, or a person with a backup, does to a machine's files while no daemon has them open. */
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../src/base/random.ts";

const books = ["transfer", "agent", "ledger", "vault", "peers", "sharing"].map((name) => `state/node/books/${name}`);

/** What is copied, and put back. */
export const keptPlaces = ["state/cache", "state/node", "config"] as const;
export const places = ["state/cache", "state/cache/index", "state/cache/blocks", "state/cache/journal",
  "state/node", "state/node/books", ...books, "config"];

const fileWays = ["flip", "zero", "cut", "delete", "older"] as const;
export const ways = [...fileWays, "folder-gone", "folder-older"] as const;

export interface Damage {
  readonly place: string;
  readonly way: (typeof ways)[number];
}

export function drawDamage(random: Random): Damage {
  const place = pick(places, random);
  // Without its folder there is no key that could be put back.
  return { place, way: pick(place === "config" ? fileWays : ways, random) };
}

/** Does that below the home, where `older` is a copy from before; tells to what, undefined where there is nothing. */
export function damage(home: string, older: string, { place, way }: Damage, random: Random): string | undefined {
  const folder = join(home, place);
  if (way === "folder-gone" || way === "folder-older") {
    rmSync(folder, { recursive: true });
    if (way === "folder-older") copyInto(join(older, place), folder);
    return place;
  }
  const names = readdirSync(folder, { withFileTypes: true }).filter((each) => each.isFile()).map(({ name }) => name);
  // The first two say nothing, and nobody reads the last but to tell a person.
  const told = names.filter((name) => !["LOCK", "LOG", "LOG.old", "pid"].includes(name)).sort();
  if (told.length === 0) return undefined;
  const path = join(place, pick(told, random));
  return damageFile(join(home, path), join(older, path), way, random) ? path : undefined;
}

export function copyInto(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
}

/** False where that changes nothing. */
function damageFile(path: string, older: string, way: Damage["way"], random: Random): boolean {
  const bytes = readFileSync(path);
  const at = random.below(bytes.length + 1);
  if (way === "delete") rmSync(path);
  else if (way === "cut") truncateSync(path, at);
  else if (way === "older" && existsSync(older)) cpSync(older, path);
  else if (way === "zero") writeFileSync(path, bytes.fill(0, at, Math.min(bytes.length, at + 4096)));
  else if (way === "flip" && at < bytes.length) {
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    writeFileSync(path, bytes);
  } else return false;
  return true;
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.below(from.length)] as T;
}
