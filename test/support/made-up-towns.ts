/**
 * The towns of a plan, running: a namespace and a process of real peers for each, and one namespace
 * more for the owner. They are started a few at a time, and end with whoever started them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { TownNet, inside } from "./town-net.ts";
import { type Dweller, type Plan } from "./world-plan.ts";

const host = fileURLToPath(new URL("world-host.ts", import.meta.url));
/** Two cores load libp2p for as many at once. */
const startsAtOnce = 2;

interface Town {
  readonly name: string;
  readonly child: ChildProcess;
  /** Its next word, or the reason why there will be none. */
  word(): Promise<string>;
}

export class Towns implements AsyncDisposable {
  readonly plan: Plan;
  readonly #namespaces: TownNet;
  readonly #towns: Town[] = [];
  /** As they are now. */
  dwellers: readonly Dweller[];
  readonly #ownersName: string;
  #isEnding = false;
  #kill = (): void => {
    this.#isEnding = true;
    for (const { child } of this.#towns) child.kill("SIGKILL");
  };

  constructor(plan: Plan) {
    this.plan = plan;
    this.dwellers = plan.dwellers;
    this.#namespaces = new TownNet();
    this.#ownersName = this.#namespaces.add("home", [plan.home.address]);
    process.once("exit", this.#kill);
  }

  /** What the owner's commands go through, to be at home. */
  get owners(): readonly string[] {
    return inside(this.#ownersName);
  }

  async start(onStarted: (count: number) => void): Promise<void> {
    const file = join(this.plan.directory, "plan.json");
    writeFileSync(file, JSON.stringify(this.plan));
    const numbers = [...new Set(this.plan.dwellers.map(({ town }) => town))];
    while (numbers.length > 0) {
      const some = numbers.splice(0, startsAtOnce).map((town) => this.#open(town, file));
      this.#towns.push(...some);
      for (const { word, name } of some) expect(await word(), "ready", name);
      onStarted(this.#towns.length);
    }
  }

  /** Until everybody has heard of everybody. */
  async meet(): Promise<void> {
    await Promise.all(this.#towns.map(async ({ word, name }) => expect(await word(), "met", name)));
  }

  /** The peer is elsewhere from now on, and everybody is as far from it as the way asks. */
  async move(dweller: Dweller): Promise<void> {
    const town = this.#towns[dweller.town] as Town;
    this.#namespaces.addAddress(town.name, dweller.address);
    this.dwellers = this.dwellers.map((one) => one.number === dweller.number ? dweller : one);
    for (const { child } of this.#towns) child.stdin?.write(`${JSON.stringify(dweller)}\n`);
    for (const { word, name } of this.#towns) expect(await word(), "moved", name);
  }

  /** In KiB, as the system counts what is resident. */
  async memoryKiB(): Promise<number> {
    const sizes = await Promise.all(this.#towns.map(async ({ child }) => {
      const text = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
      return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    }));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Says goodbye to every peer, so that its books are closed. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    const ended = this.#towns.map(({ child }) => endOf(child));
    for (const { child } of this.#towns) child.stdin?.end();
    await Promise.all(ended);
    this.#towns.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await Promise.all(this.#towns.map(({ child }) => endOf(child)));
    process.off("exit", this.#kill);
    this.#namespaces[Symbol.dispose]();
  }

  #open(town: number, planFile: string): Town {
    const those = this.plan.dwellers.filter((one) => one.town === town);
    const name = this.#namespaces.add(String(town), those.map(({ address }) => address));
    const logFile = join(this.plan.directory, `town-${town}.log`);
    const log = openSync(logFile, "a");
    const words = [...inside(name), process.execPath, host, planFile, String(town)];
    const [program, ...rest] = words as [string, ...string[]];
    const child = spawn(program, rest, { stdio: ["pipe", "pipe", log] });
    closeSync(log);
    child.stdin?.on("error", () => {});
    child.once("exit", (code, signal) => {
      if (this.#isEnding) return;
      const last = readFileSync(logFile, "utf8").slice(-2000);
      process.stderr.write(`  town ${town} ended with ${code ?? signal}\n${last}`);
    });
    const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess["stdout"]> });
    const told = lines[Symbol.asyncIterator]();
    const ending = async (): Promise<string> => {
      await endOf(child);
      return `ended with ${child.exitCode ?? child.signalCode}`;
    };
    return { name, child, word: async () => (await told.next()).value ?? ending() };
  }
}

/** The shards that lie on a peer's disk, by their files' names. */
export async function shardsOnDisk({ directory }: Plan, dweller: Dweller): Promise<string[]> {
  const folder = join(directory, `peer-${dweller.number}`, "vault", "shards");
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  return files.filter((one) => one.isFile()).map(({ name }) => name);
}

function expect(word: string, wanted: string, name: string): void {
  if (word !== wanted) throw new Error(`${name} said ${word}, not ${wanted}`);
}

function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

