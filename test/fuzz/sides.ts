/** The two sides of the comparison: a player in a directory, and the daemon that may serve it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

let player: string | undefined;

/** The program of the players, compiled once for each process. */
export function builtPlayer(): string {
  if (player !== undefined) return player;
  const folder = mkdtempSync(join(tmpdir(), "hive-player-"));
  process.once("exit", () => rmSync(folder, { recursive: true }));
  const file = join(folder, "player");
  execFileSync("cc", ["-Wall", "-Wextra", "-Werror", "-O2", "-o", file, here("player.c")]);
  player = file;
  return file;
}

/** With it a daemon is there in half the time: types stripped and code compiled once. */
function compiled(): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: join(tmpdir(), "hive-compiled"), ...process.env };
}

/** Sends lines to a program and gathers as many lines as its answer has. */
class Talk {
  readonly child: ChildProcess;
  readonly #answers: string[] = [];
  #wanted: { readonly count: number; readonly done: PromiseWithResolvers<void> } | undefined;

  constructor(program: string, words: readonly string[], env = process.env) {
    this.child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"], env });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.#answers.push(line);
      this.#look();
    });
    this.child.stdin?.on("error", () => {});
    this.child.once("exit", (code, signal) => {
      this.#wanted?.done.reject(new Error(`${program} has ended: ${code ?? signal}`));
    });
  }

  async ask(lines: readonly string[], count = lines.length): Promise<readonly string[]> {
    const done = Promise.withResolvers<void>();
    this.#wanted = { count, done };
    if (lines.length > 0) this.child.stdin?.write(`${lines.join("\n")}\n`);
    this.#look();
    await done.promise;
    return this.#answers.splice(0);
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    if (signal === undefined) child.stdin?.end();
    else child.kill(signal);
    await ended;
  }

  #look(): void {
    if (this.#wanted !== undefined && this.#answers.length >= this.#wanted.count) {
      this.#wanted.done.resolve();
    }
  }
}

export class Player extends Talk {
  constructor(program: string, directory: string) {
    super(program, [directory]);
  }
}

/** drive-daemon.ts on a mount point; see there for what it can be asked. */
export class Daemon extends Talk {
  private constructor(words: readonly string[]) {
    super(process.execPath, [here("../mount/drive-daemon.ts"), ...words], compiled());
  }

  static async start(
    mount: string, store: string, limitMiB: number, ...more: readonly string[]
  ): Promise<Daemon> {
    const daemon = new Daemon([mount, store, String(limitMiB), ...more]);
    await daemon.ask([], 1);
    return daemon;
  }
}
