/** Invites as a person meets them, and a private network that only those with its key are of. */
import { chmodSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, newMachine, until } from "../support/cli.ts";

interface Row {
  readonly online: boolean;
}

async function online(machine: Machine): Promise<number> {
  const rows = JSON.parse((await machine.hive(["peers", "--json"])).out) as readonly Row[];
  return rows.filter((row) => row.online).length;
}

test("an invite is a word, on demand a code for a camera, and tells when it expires",
  { timeout: 90_000 }, async (t) => {
    const machine = newMachine("inviter");
    t.teardown(() => machine.end());
    await machine.must(t, ["init"]);
    await machine.must(t, ["node"]);
    const plain = await machine.must(t, ["invite", "--qr"]);
    t.match(plain.out, /^hive2[1-9A-HJ-NP-Za-km-z]+\n$/, "nothing else on standard output");
    t.match(plain.error, /[█▄▀ ]{30,}\n/);
    const keyless = await machine.hive(["invite", "--network-key"]);
    t.equal(keyless.code, 3, "there is no network's key to give");
    t.equal(keyless.out, "");
    t.notMatch((await machine.must(t, ["invite"])).error, /█/, "no code where there is no terminal");
    const told = JSON.parse((await machine.must(t, ["invite", "--json"])).out) as {
      readonly invite: string; readonly expiresAt: string;
    };
    t.match(told.invite, /^hive2/);
    const own = await machine.hive(["join", told.invite]);
    t.equal(own.code, 2);
    t.match(own.error, /made by this very machine/);
    t.match(own.error, /hint: give it to somebody else/);
    const days = (Date.parse(told.expiresAt) - Date.now()) / 86_400_000;
    t.ok(days > 6.9 && days < 7.1, `${days} days`);
  });

test("a private network hears those with its key, which only an invite that was asked for holds",
  { timeout: 180_000 }, async (t) => {
    const [ann, ben, eve] = [newMachine("ann"), newMachine("ben"), newMachine("eve")];
    t.teardown(() => Promise.all([ann, ben, eve].map((one) => one.end())));
    for (const machine of [ben, eve]) await machine.must(t, ["init"]);
    await ann.must(t, ["init", "--private-network"]);
    const keyFile = join(ann.home, "config", "network.key");
    t.equal(statSync(keyFile).mode & 0o777, 0o600);
    await ann.must(t, ["node"]);
    const open = (await ann.must(t, ["invite"])).out.trim();
    const secret = await ann.must(t, ["invite", "--network-key"]);
    t.match(secret.out, /^hive3/);
    t.match(secret.error, /whoever has this invite is in the network/);
    t.match((await ann.hive(["join", secret.out.trim()])).error, /made by this very machine/);

    await eve.must(t, ["node"]);
    const refused = await eve.hive(["join", open]);
    t.not(refused.code, 0, "without the key nobody answers");
    const entered = await ben.must(t, ["join", "-"], secret.out);
    t.match(entered.error, /network\.key/);
    t.ok(existsSync(join(ben.home, "config", "network.key")));
    await ben.must(t, ["node"]);
    await until(async () => await online(ben) === 1, { seconds: 60, what: "ben is in" });
    t.equal(await online(eve), 0);

    await ann.must(t, ["unmount"]);
    chmodSync(keyFile, 0o644);
    const careless = await ann.hive(["node"]);
    t.not(careless.code, 0, "a key that others may read is not used");
    t.match(careless.error, /chmod 600/);
  });
