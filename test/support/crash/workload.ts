/**
 * What a crash round asks of a workload. Its programs are real ones in processes of their own; each
 * line that they print, outside the drive, is something that the drive has promised to keep.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { run } from "../cli.ts";

export interface Workload {
  readonly name: string;
  /** Begins to work without end; nothing of it runs yet. */
  start(seed: string): Promise<readonly ChildProcess[]>;
  /** Printed by its programs: these must be there from now on. */
  acknowledge(lines: readonly string[]): void;
  /** What is not as it was promised. */
  check(): Promise<readonly string[]>;
}

/** Where it works, and a folder outside the drive for what it compares with. */
export interface Place {
  readonly mount: string;
  readonly outside: string;
}

/** How long any program may take to look at what a kill has left. */
const checkSecondsMax = 120;

/** A program of this folder that works until the drive is gone, and says what it was promised. */
export function startProgram(file: string, words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [file, ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

/** A program of this folder that looks, and prints one JSON list of what is wrong. */
export async function checkProgram(
  file: string,
  words: readonly string[],
): Promise<readonly string[]> {
  const ran = await limited(process.execPath, [file, ...words]);
  if (ran.code !== 0) return [`${words.join(" ")} ended with ${ran.code}: ${ran.error}`];
  return JSON.parse(ran.out) as readonly string[];
}

export function limited(program: string, words: readonly string[]) {
  return run("timeout", ["-s", "KILL", String(checkSecondsMax), program, ...words], {});
}

/** Readable bytes that anybody can make again from their name. */
export function textOf(name: string, length: number): string {
  const outputLength = Math.ceil(length / 2);
  const bytes = createHash("shake256", { outputLength }).update(name).digest();
  return bytes.toString("hex").slice(0, length);
}

/** A number below the bound that anybody can draw again from the name. */
export function numberOf(name: string, bound: number): number {
  return createHash("sha256").update(name).digest().readUInt32LE() % bound;
}
