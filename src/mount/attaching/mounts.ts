/**
 * What the system says about mounts, from /proc/self/mountinfo: reading it never touches the mounts
 * themselves, which may hang. Where there is no such file (macOS), mount(8) is asked instead.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HiveError, codeOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

export interface MountEntry {
  readonly directory: string;
  readonly type: string;
  readonly source: string;
  /** `major:minor`, the name of its backing device under /sys/class/bdi. */
  readonly device: string;
}

/** The mount on top of this very directory, if it is a mount point. */
export async function mountAt(directory: string): Promise<MountEntry | undefined> {
  const path = await canonical(directory);
  return readMounts().findLast((entry) => entry.directory === path);
}

export async function isMounted(directory: string): Promise<boolean> {
  return (await mountAt(directory)) !== undefined;
}

/** True when a drive was mounted here and the daemon that served it is gone. */
export async function staleMount(directory: string): Promise<boolean> {
  const entry = await mountAt(directory);
  const ours = entry !== undefined && /^(fuse|fuse\.hive|macfuse|osxfuse)$/.test(entry.type);
  return ours && (await probe(entry.directory)) === "disconnected";
}

/** The entries of mountinfo, in the order of mounting. */
export function parseMountinfo(text: string): readonly MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const [left, right] = line.split(" - ");
    const [, , device, , directory] = left?.split(" ") ?? [];
    const [type, source] = right?.split(" ") ?? [];
    const whole = device !== undefined && directory !== undefined && type !== undefined;
    if (!whole) return [];
    return [{ device, type, directory: unescape(directory), source: unescape(source ?? "") }];
  });
}

/** The path without links; its last part is not looked at, since a dead mount answers nothing. */
export async function canonical(directory: string): Promise<string> {
  const parent = await realpath(dirname(directory)).catch((error: unknown) => {
    // What will yet be made has no links.
    if (codeOf(error) === "ENOENT") return dirname(directory);
    throw error;
  });
  return join(parent, basename(directory));
}

function readMounts(): readonly MountEntry[] {
  try {
    return parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8"));
  } catch (cause) {
    throw new HiveError("Unsupported", "mount.table", "/proc/self/mountinfo", { cause });
  }
}

// Attributes may be cached; the volume's figures are asked for each time.
const probeScript = (directory: string) => `
try { require("fs").statfsSync(${JSON.stringify(directory)}); } catch (error) {
  process.exitCode = error.code === "ENOTCONN" ? 3 : 4;
}`;

/** Looks from another process, which may hang without harm and is left behind when it does. */
function probe(directory: string): Promise<"disconnected" | "other"> {
  const child = spawn(process.execPath, ["--eval", probeScript(directory)], {
    stdio: "ignore", timeout: limits.mount.probeMs, killSignal: "SIGKILL",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code === 3 ? "disconnected" : "other"));
  });
}

/** Blanks, tabs, newlines and backslashes stand as three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => {
    return String.fromCharCode(Number.parseInt(digits, 8));
  });
}
