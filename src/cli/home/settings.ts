/**
 * `settings.json`: what the user may change about this machine's node. Nothing secret is in it.
 * A wrong value is refused with its name; an absent one has the default below.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { GiB } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { defaultBrakeRule, defaultKeepRule, parseBrakeRule, parseKeepRule } from "./keep-rule.ts";
import { parseMetered, parseTimetable } from "./timetable.ts";
import { readWhole, writeWhole } from "./whole-file.ts";

export interface Settings {
  readonly deviceName: string;
  /** Peers of one household fail together; a random name until the user gives one. */
  readonly household: string;
  readonly country: string | undefined;
  readonly listen: readonly string[];
  /** Addresses of peers to begin with. */
  readonly bootstrap: readonly string[];
  readonly mdns: boolean;
  /** Whether it carries bytes between peers behind routers. */
  readonly relay: "on" | "off" | "auto";
  readonly upnp: boolean;
  readonly quotaBytes: number;
  /** Of the quota, for each drive whose user is no friend, in percent. */
  readonly strangerPercent: number;
  /** GB kept for others that strangers are asked for, for each GB of files; 0 asks nothing. */
  readonly contributeRatio: number;
  readonly cacheLimitBytes: number;
  /** Bulk, by the hour; see timetable.ts. */
  readonly upload: string;
  readonly download: string;
  /** Whether peers on this machine and its local network count too. */
  readonly limitLan: boolean;
  /** On a link that is paid for by the byte: pause, ignore, or a rate. */
  readonly metered: string;
  /** A peer without any answer for this long counts as dead, whatever its past says. */
  readonly deadAfterSeconds: number;
  readonly auditIntervalSeconds: number;
  /** Which moments of the drive are kept; see keep-rule.ts. */
  readonly keep: string;
  /** Which losses are too many at once; see keep-rule.ts. */
  readonly brake: string;
  /** The policy that the drive goes by, by its name; the built-in one when undefined. */
  readonly policy: string | undefined;
}

const deadAfterSeconds = limits.proofs.deadAfterMs / 1000;
const auditIntervalSeconds = 3600;

export function defaultSettings(): Settings {
  return {
    deviceName: hostname().slice(0, 60) || "device",
    household: `household-${randomBytes(6).toString("hex")}`,
    country: undefined,
    listen: ["/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"],
    bootstrap: [],
    mdns: true,
    relay: "auto",
    upnp: true,
    quotaBytes: 50 * GiB,
    strangerPercent: 25,
    contributeRatio: limits.ledger.ratio,
    cacheLimitBytes: limits.cache.limitBytes,
    upload: "unlimited",
    download: "unlimited",
    limitLan: false,
    metered: "pause",
    deadAfterSeconds,
    auditIntervalSeconds,
    keep: defaultKeepRule,
    brake: defaultBrakeRule,
    policy: undefined,
  };
}

export function readSettings(file: string): Settings {
  const defaults = defaultSettings();
  const text = readWhole(file);
  return text === undefined ? defaults : parseSettings(text, defaults, file);
}

export function writeSettings(file: string, settings: Settings): void {
  writeWhole(file, `${JSON.stringify(settings, undefined, 2)}\n`);
}

function parseSettings(text: string, defaults: Settings, file: string): Settings {
  const found = parseObject(text, file);
  const known = new Set(Object.keys(defaults));
  const stranger = Object.keys(found).find((key) => !known.has(key));
  if (stranger !== undefined) throw wrong(file, `unknown setting ${stranger}`);
  const field = reader(found, file);
  return {
    deviceName: field.text("deviceName", defaults.deviceName),
    household: field.text("household", defaults.household),
    country: field.country(defaults.country),
    listen: field.texts("listen", defaults.listen),
    bootstrap: field.texts("bootstrap", defaults.bootstrap),
    mdns: field.flag("mdns", defaults.mdns),
    relay: field.relay(defaults.relay),
    upnp: field.flag("upnp", defaults.upnp),
    quotaBytes: field.count("quotaBytes", defaults.quotaBytes),
    strangerPercent: field.percent("strangerPercent", defaults.strangerPercent),
    contributeRatio: field.ratio("contributeRatio", defaults.contributeRatio),
    cacheLimitBytes: field.cacheLimit(defaults.cacheLimitBytes),
    upload: field.language("upload", defaults.upload, parseTimetable),
    download: field.language("download", defaults.download, parseTimetable),
    limitLan: field.flag("limitLan", defaults.limitLan),
    metered: field.language("metered", defaults.metered, parseMetered),
    deadAfterSeconds: field.count("deadAfterSeconds", defaults.deadAfterSeconds),
    auditIntervalSeconds: field.count("auditIntervalSeconds", defaults.auditIntervalSeconds),
    keep: field.language("keep", defaults.keep, parseKeepRule),
    brake: field.language("brake", defaults.brake, parseBrakeRule),
    policy: field.maybeText("policy", defaults.policy),
  };
}

function parseObject(text: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    const fits = value !== null && typeof value === "object" && !Array.isArray(value);
    if (fits) return value as Record<string, unknown>;
  } catch (cause) {
    throw wrong(file, "not JSON", { cause });
  }
  throw wrong(file, "not an object");
}

function reader(found: Record<string, unknown>, file: string) {
  function pick<T>(key: string, fallback: T, fits: (value: unknown) => boolean, what: string): T {
    const value = found[key];
    if (value === undefined) return fallback;
    if (fits(value)) return value as T;
    throw wrong(file, `${key} must be ${what}`);
  }
  const isText = (value: unknown): boolean => typeof value === "string" && value.length <= 200;
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
  const isList = (value: unknown): boolean =>
    Array.isArray(value) && value.length <= 64 && value.every(isText);
  const isCountry = (value: unknown): boolean => /^[A-Z]{2}$/.test(String(value));
  return {
    text: (key: string, fallback: string) => pick(key, fallback, isText, "a short text"),
    maybeText: (key: string, fallback: string | undefined) =>
      pick(key, fallback, isText, "a short text"),
    texts: (key: string, fallback: readonly string[]) => pick(key, fallback, isList, "texts"),
    count: (key: string, fallback: number) => pick(key, fallback, isCount, "a whole number"),
    cacheLimit: (fallback: number) => {
      const { limitBytesMin } = limits.cache;
      const fits = (value: unknown) => isCount(value) && Number(value) >= limitBytesMin;
      return pick("cacheLimitBytes", fallback, fits, `a number of at least ${limitBytesMin}`);
    },
    relay: (fallback: Settings["relay"]) =>
      pick("relay", fallback, (value) => ["on", "off", "auto"].includes(String(value)),
        "on, off or auto"),
    percent: (key: string, fallback: number) =>
      pick(key, fallback, (value) => isCount(value) && Number(value) <= 100, "0 to 100"),
    ratio: (key: string, fallback: number) =>
      pick(key, fallback, (value) => isCount(value) && Number(value) <= limits.ledger.ratioMax,
        `0 to ${limits.ledger.ratioMax}`),
    flag: (key: string, fallback: boolean) =>
      pick(key, fallback, (value) => typeof value === "boolean", "true or false"),
    /** A text that its parser takes; what is wrong with it is told with its place. */
    language: (key: string, fallback: string, parse: (text: string) => unknown) => {
      const given = pick(key, fallback, isText, "a short text");
      try {
        parse(given);
      } catch (cause) {
        throw isFault(cause) ? wrong(file, `${key}: ${cause.subject}`, { cause }) : cause;
      }
      return given;
    },
    country: (fallback: string | undefined) =>
      pick("country", fallback, isCountry, "two capital letters (ISO 3166)"),
  };
}

function wrong(file: string, why: string, options: ErrorOptions = {}): HiveError {
  return new HiveError("Invalid", "settings", `${file}: ${why}`, options);
}
