/**
 * Network namespaces that reach each other and nothing else: a router in a namespace of its own,
 * and a wire from it to each town. The addresses may be anybody's: no packet leaves this machine.
 * Needs root and ip(8). Whatever ends the process, the namespaces go with it.
 *
 * No bridge: all namespaces share one table of neighbours, which holds 1,024. Twenty towns that
 * know sixty addresses each would be too many; behind a router each town has one neighbour.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";

const prefix = "hive-town";
const folder = "/run/netns";
/** The router at every wire's other end: an address that is of that wire alone. */
const gateway = "169.254.1.1";

export class TownNet implements Disposable {
  readonly #mine = `${prefix}-${process.pid}`;
  readonly #hub = `${this.#mine}-hub`;
  readonly #names: string[] = [];
  readonly #end = (): void => this[Symbol.dispose]();

  constructor() {
    sweep();
    process.once("exit", this.#end);
    this.#add(this.#hub);
    const words = [...inside(this.#hub), "sysctl", "-qw", "net.ipv4.ip_forward=1"];
    const [program, ...rest] = words as [string, ...string[]];
    if (spawnSync(program, rest).status !== 0) throw new Error("no forwarding in the router");
  }

  /** Makes a town; answers its namespace. */
  add(town: string, addresses: readonly string[]): string {
    const name = `${this.#mine}-${town}`;
    this.#add(name);
    const end = ["peer", "name", "wire", "netns", name];
    ip(["-n", this.#hub, "link", "add", wireTo(name), "type", "veth", ...end]);
    ip(["-n", this.#hub, "address", "add", `${gateway}/32`, "dev", wireTo(name)]);
    ip(["-n", this.#hub, "link", "set", wireTo(name), "up"]);
    ip(["-n", name, "link", "set", "lo", "up"]);
    ip(["-n", name, "link", "set", "wire", "up"]);
    for (const address of new Set(addresses)) this.addAddress(name, address);
    ip(["-n", name, "route", "add", gateway, "dev", "wire"]);
    ip(["-n", name, "route", "add", "default", "via", gateway, "dev", "wire"]);
    return name;
  }

  addAddress(name: string, address: string): void {
    ip(["-n", name, "address", "add", `${address}/32`, "dev", "wire"]);
    ip(["-n", this.#hub, "route", "add", `${address}/32`, "dev", wireTo(name)]);
  }

  /** A namespace goes with its wires; one that processes are in goes with the last of them. */
  [Symbol.dispose](): void {
    process.off("exit", this.#end);
    for (const name of this.#names.splice(0)) remove(name);
  }

  #add(name: string): void {
    ip(["netns", "add", name]);
    this.#names.push(name);
  }
}

/** The router's end of a town's wire. */
function wireTo(name: string): string {
  return `to-${name.split("-").at(-1)}`;
}

/** What to run a program through, so that it is in the namespace and sees the same files. */
export function inside(name: string): readonly string[] {
  return ["nsenter", `--net=${folder}/${name}`];
}

/** Those of a drill that was killed and could not clean up. */
function sweep(): void {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names) {
    const owner = new RegExp(`^${prefix}-(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) remove(name);
  }
}

function remove(name: string): void {
  spawnSync("ip", ["netns", "delete", name], { stdio: "ignore" });
}

function ip(words: readonly string[]): void {
  const { status, stderr, error } = spawnSync("ip", words, { encoding: "utf8" });
  if (status === 0) return;
  throw new Error(`ip ${words.join(" ")}: ${error?.message ?? stderr} (this needs root and ip(8))`);
}
