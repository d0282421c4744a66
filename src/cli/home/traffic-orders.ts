/**
 * What the user wants to go over the line, put together from the settings and from a pause, which
 * is a file of its own beside the state: it is over by itself, and holds over a restart. Whoever
 * changes one of them writes it here and tells the daemon to look.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { HiveError } from "../../base/errors.ts";
import type { Pause, TrafficOrders } from "../../base/traffic.ts";
import type { Home } from "./home.ts";
import { type Settings, readSettings } from "./settings.ts";
import { parseMetered, parseTimetable } from "./timetable.ts";
import { writeWhole } from "./whole-file.ts";

export function ordersOf(home: Home, settings: Settings): TrafficOrders {
  const { limitLan } = settings;
  return {
    upload: parseTimetable(settings.upload),
    download: parseTimetable(settings.download),
    limitLan,
    metered: parseMetered(settings.metered),
    pause: readPause(home),
  };
}

/** Tells what the settings and the pause come to now, if that is news. */
export function trafficReload(
  home: Home, tell: (orders: TrafficOrders) => Promise<void>,
): () => Promise<void> {
  let told = "";
  return async () => {
    const orders = ordersOf(home, readSettings(home.settingsFile));
    const text = JSON.stringify(orders);
    if (text === told) return;
    await tell(orders);
    told = text;
  };
}

/** Null when there is none; one whose time is over is none for whoever looks at the time. */
export function readPause({ pauseFile }: Home): Pause | null {
  if (!existsSync(pauseFile)) return null;
  try {
    const found = JSON.parse(readFileSync(pauseFile, "utf8")) as Partial<Pause> | null;
    const { sinceMs, untilMs } = found ?? {};
    const isRight = Number.isSafeInteger(sinceMs) &&
      (untilMs === null || Number.isSafeInteger(untilMs));
    if (isRight) return { sinceMs: sinceMs as number, untilMs: untilMs as number | null };
  } catch (cause) {
    throw spoilt(pauseFile, { cause });
  }
  throw spoilt(pauseFile);
}

export function writePause({ pauseFile }: Home, pause: Pause): void {
  writeWhole(pauseFile, `${JSON.stringify(pause)}\n`);
}

/** True when there was one. */
export function endPause({ pauseFile }: Home): boolean {
  const wasThere = existsSync(pauseFile);
  rmSync(pauseFile, { force: true });
  return wasThere;
}

function spoilt(file: string, options: ErrorOptions = {}): HiveError {
  return new HiveError("Invalid", "pause.read", `${file}; hive resume removes it`, options);
}
