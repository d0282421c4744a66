/**
 * Machines of a made-up internet: a network namespace each, and one in the middle that routes
 * between them, but not from one home to another. Needs root and ip(8); `canMake` says whether.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export function canMake(): boolean {
  try {
    const name = `hv${process.pid}t`;
    ip("netns", "add", name);
    ip("netns", "del", name);
    return true;
  } catch {
    return false;
  }
}

export class Internet implements Disposable {
  readonly #middle = `hv${process.pid}m`;
  readonly #names: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #homes: number[] = [];
  #count = 0;

  constructor() {
    ip("netns", "add", this.#middle);
    this.#names.push(this.#middle);
    this.#in(this.#middle, "sysctl", "-qw", "net.ipv4.ip_forward=1");
    this.#in(this.#middle, "ip", "link", "set", "lo", "up");
  }

  /** A machine at its own /24; no home reaches another one. */
  machine({ isHome }: { isHome: boolean }): Machine {
    const number = ++this.#count;
    const name = `hv${process.pid}n${number}`;
    const [inner, outer] = [`v${process.pid}i${number}`, `v${process.pid}o${number}`];
    ip("netns", "add", name);
    this.#names.push(name);
    ip("link", "add", inner, "type", "veth", "peer", "name", outer);
    ip("link", "set", inner, "netns", name);
    ip("link", "set", outer, "netns", this.#middle);
    const address = `10.77.${number}.2`;
    this.#in(name, "ip", "addr", "add", `${address}/24`, "dev", inner);
    this.#in(this.#middle, "ip", "addr", "add", `10.77.${number}.1/24`, "dev", outer);
    for (const [where, link] of [[name, inner], [this.#middle, outer], [name, "lo"]] as const) {
      this.#in(where, "ip", "link", "set", link, "up");
    }
    this.#in(name, "ip", "route", "add", "default", "via", `10.77.${number}.1`);
    for (const home of isHome ? this.#homes : []) {
      for (const [from, to] of [[home, number], [number, home]]) {
        this.#in(this.#middle, "ip", "rule", "add", "from", `10.77.${from}.0/24`, "to",
          `10.77.${to}.0/24`, "prohibit");
      }
    }
    if (isHome) this.#homes.push(number);
    return { name, address };
  }

  /** A process of a machine that takes a line of JSON and answers with one. */
  run(machine: Machine, file: string, words: readonly string[]): Program {
    const child = spawn("ip", ["netns", "exec", machine.name, process.execPath, file, ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#children.push(child);
    return new Program(child);
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const name of this.#names.reverse()) ip("netns", "del", name);
  }

  #in(name: string, ...words: readonly string[]): void {
    execFileSync("ip", ["netns", "exec", name, ...words], { stdio: "pipe" });
  }
}

export interface Machine {
  readonly name: string;
  readonly address: string;
}

export class Program {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** The program's first line, or its answer to this. */
  async ask(question?: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    if (question !== undefined) this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error("the program has ended");
    return JSON.parse(value) as Readonly<Record<string, unknown>>;
  }
}

function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: "pipe" });
}
