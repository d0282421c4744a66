/**
 * Where the lives of a drive are lived: three machines of one person, all with the drive mounted,
 * and two other people with drives of their own, on one swarm. Real daemons, real mounts. A cut is
 * made by letting processes stand still: nobody answers, and no connection ends.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Machine, newMachine, run, until } from "../../../test/support/cli.ts";
import { paceOf, slack } from "../../../test/support/device-pace.ts";
import { beginSmall, must, say } from "../machine.ts";

const swarmPeers = 6;
const meetSeconds = 180;
/** So often as the rule of snapshots allows: what was written over may be found there. */
const keepRule = "2s for 6m";

export interface Person {
  readonly name: string;
  readonly machine: Machine;
}

export class LifeTown implements AsyncDisposable {
  readonly devices: readonly Machine[];
  readonly others: readonly Person[];

  private constructor(devices: readonly Machine[], others: readonly Person[]) {
    this.devices = devices;
    this.others = others;
  }

  static async begin(): Promise<LifeTown> {
    const desk = await beginSmall("desk", swarmPeers);
    const bootstrap = (await desk.swarm()).map(({ address }) => address);
    const devices: Machine[] = [desk];
    const others: Person[] = [];
    const town = new LifeTown(devices, others);
    try {
      await must(desk, ["mount", desk.mount]);
      await must(desk, ["flush", "--timeout", "120"]);
      for (const name of ["lap", "tab"]) {
        const machine = newMachine(name);
        devices.push(machine);
        await must(machine, ["recover", "--peer", bootstrap[0] as string], `${desk.words}\n`);
        machine.settings({ deviceName: name });
        await must(machine, ["mount", machine.mount]);
      }
      for (const device of devices) await must(device, ["snapshots", "keep", keepRule]);
      for (const name of ["Ann", "Bob"]) {
        const machine = newMachine(name);
        others.push({ name, machine });
        await must(machine, ["init"]);
        machine.settings({ listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false, bootstrap });
        await must(machine, ["mount", machine.mount]);
        const text = (await must(machine, ["contacts", "me"])).out.trim();
        await must(desk, ["contacts", "add", name, text]);
      }
      await town.#meet();
    } catch (error) {
      await town[Symbol.asyncDispose]();
      throw error;
    }
    return town;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The first one's swarm goes last.
    for (const machine of this.all.toReversed()) await machine.end();
  }

  get desk(): Machine {
    return this.devices[0] as Machine;
  }

  get all(): readonly Machine[] {
    return [...this.devices, ...this.others.map(({ machine }) => machine)];
  }

  /** Each knows of the others. */
  async #meet(): Promise<void> {
    for (const [at, machine] of this.devices.entries()) {
      mkdirSync(join(machine.mount, `hello ${at}`));
      await must(machine, ["flush", "--timeout", "120"]);
    }
    const names = (machine: Machine): number =>
      this.devices.filter((_, at) => existsSync(join(machine.mount, `hello ${at}`))).length;
    await until(async () => this.devices.every((machine) => names(machine) === 3), {
      seconds: meetSeconds, what: "all devices have met",
    });
  }

  /** How soon a change of one is seen on another. */
  async pace(): Promise<void> {
    const [desk, lap] = this.devices as [Machine, Machine];
    const way = { here: lap.mount, there: desk.mount };
    const { medianMs, worstMs, worst } = await paceOf(way, { rounds: 4, giveUpMs: 30_000 });
    const allowedMs = 2_000 * slack();
    say(`  pace: median ${Math.round(medianMs)} ms, worst ${Math.round(worstMs)} ms (${worst})`);
    if (worstMs > allowedMs) throw new Error(`slower than ${Math.round(allowedMs)} ms`);
  }

  /** One after the other acts while all others, holders too, stand still: none hears of another. */
  async apart(
    actors: readonly Machine[], act: (machine: Machine) => Promise<void>,
  ): Promise<void> {
    const pids = new Map<Machine, number>();
    for (const machine of this.all) pids.set(machine, (await machine.status()).pid);
    const swarm = (await this.desk.swarm()).flatMap(({ pid }) => pid ?? []).slice(0, 1);
    const everybody = [...pids.values(), ...swarm];
    for (const pid of everybody) process.kill(pid, "SIGSTOP");
    try {
      for (const actor of actors) {
        process.kill(pids.get(actor) as number, "SIGCONT");
        await act(actor);
        process.kill(pids.get(actor) as number, "SIGSTOP");
      }
    } finally {
      for (const pid of everybody) process.kill(pid, "SIGCONT");
    }
  }

  /** As after a reboot, or where the process is killed as it stands. */
  async restart(machine: Machine, { isKilled }: { readonly isKilled: boolean }): Promise<void> {
    const { pid } = await machine.status();
    if (isKilled) process.kill(pid, "SIGKILL");
    else await must(machine, ["unmount"]);
    await run("umount", ["-l", machine.mount], {});
    await until(async () => !isRunning(pid), { seconds: 60, what: "the daemon's end" });
    await must(machine, ["mount", machine.mount]);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
