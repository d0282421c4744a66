/**
 * Two people on one swarm, each with a drive mounted by a daemon of her own: what one shares the
 * other reads with the owner's daemon off, and what moved meanwhile is counted. The slow tests have
 * the longer story: what changes, moves, restarts, and the end of it.
 */
import { linkSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, until } from "../support/cli.ts";
import { contactOf, isThere, twoPeople } from "../support/two-people.ts";

async function sentBytes(machine: Machine): Promise<number> {
  const { traffic } = await machine.status() as unknown as { traffic: { sentBytes: number } };
  return traffic.sentBytes;
}

test("a shared folder is one grant or a link, and is read while its owner's daemon is off",
  { timeout: 240_000 }, async (t) => {
    const { ann, ben } = await twoPeople(t, { peers: 3 });
    const photos = join(ann.mount, "private", "photos");
    mkdirSync(join(photos, "june"), { recursive: true, mode: 0o700 });
    writeFileSync(join(ann.mount, "private", "diary"), "nobody's business");
    const large = randomBytes(8_000_000);
    writeFileSync(join(photos, "june", "large"), large, { mode: 0o600 });
    linkSync(join(photos, "june", "large"), join(photos, "other name"));
    writeFileSync(join(photos, "note"), "one name");
    writeFileSync(join(photos, "june", "film"), large, { mode: 0o600 });
    await ann.must(t, ["flush", "--timeout", "90"]);

    const before = await sentBytes(ann);
    const benIs = await contactOf(t, ben);
    t.ok(benIs.length < 400, `${benIs.length} characters`);
    const self = await ben.hive(["contacts", "add", "me", benIs]);
    t.equal(self.code, 2);
    t.match(self.error, /that string is your own[^]*hint: add hers: hive contacts me prints it/);
    await ann.must(t, ["contacts", "add", "Ben", benIs]);
    const grant = (await ann.must(t, ["share", photos, "--with", "Ben"])).out.trim();
    t.ok(grant.length < 2_400, `a grant of ${grant.length} characters`);
    t.not((await ann.hive(["accept", grant])).code, 0, "it is nobody else's");
    await ben.must(t, ["accept", grant, "Ann's photos"]);
    const shared = join(ben.mount, "Shared", "Ann's photos");
    await until(async () => isThere(shared), { seconds: 60, what: "the folder is there" });
    const sent = await sentBytes(ann) - before;
    // The grant, the record, and on a slow machine the drive's next root, which says who may read
    // what: a few blocks, in shards of 64 KiB.
    t.ok(sent < 1_000_000, `${sent} bytes sent to share 16 MB`);

    const word = ["--passphrase-fd", "0"];
    const june = join(photos, "june");
    const link = (await ann.must(t, ["link", june, ...word], "a word\n")).out.trim();
    t.not((await ben.hive(["accept", link, "June", ...word], "a guess\n")).code, 0);
    await ben.must(t, ["accept", "-", "June", ...word], `${link}\na word\n`);
    const linked = join(ben.mount, "Shared", "June", "film");
    await until(async () => isThere(linked), { seconds: 60, what: "the link leads somewhere" });

    await ann.must(t, ["unmount"]);
    t.strictSame(readdirSync(ben.mount), ["Shared"]);
    t.strictSame(readdirSync(shared).sort(), ["june", "note"], "files of two names are not there");
    t.equal(statSync(join(shared, "june")).uid, process.getuid?.());
    t.ok(readFileSync(join(shared, "june", "film")).equals(large), "from the holders");
    t.ok(readFileSync(linked).equals(large), "by the link too");
    t.throws(() => writeFileSync(join(shared, "note"), "mine"), { code: "EROFS" });
    t.throws(() => mkdirSync(join(shared, "more")), { code: "EROFS" });
  });
