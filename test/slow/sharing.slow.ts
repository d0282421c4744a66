/**
 * Two people on one swarm, each with a drive mounted by a daemon of her own: what one shares the
 * other reads, while the first one's machine is on and while it is off, until she is shut out.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { linkSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "tap";
import { sameTree, until } from "../support/cli.ts";
import { met } from "../support/folders.ts";
import { appears, contactOf, isShutOut, shares, twoPeople } from "../support/two-people.ts";

test("a shared folder is read by one person alone, with its owner's machine on and off",
  { timeout: 240_000 }, async (t) => {
    // What snapshots keep is not let go of.
    const { ann, ben } = await twoPeople(t, { settings: { keep: "none" } });

    const photos = join(ann.mount, "private", "photos");
    mkdirSync(join(photos, "2026", "june"), { recursive: true, mode: 0o700 });
    writeFileSync(join(ann.mount, "private", "diary"), "nobody's business");
    writeFileSync(join(photos, "note"), "first", { mode: 0o600 });
    writeFileSync(join(photos, "2026", "june", "large"), randomBytes(3_000_000));
    linkSync(join(photos, "note"), join(photos, "same note"));
    writeFileSync(join(photos, "plain"), "one name");
    await ann.must(t, ["flush", "--timeout", "90"]);

    const benIs = await contactOf(t, ben);
    t.ok(benIs.length < 400, `${benIs.length} characters`);
    await ann.must(t, ["contacts", "add", "Ben", benIs]);
    const grant = (await ann.must(t, ["share", photos, "--with", "Ben"])).out.trim();
    t.ok(grant.length < 2800, `a grant of ${grant.length} characters`);
    t.not((await ann.hive(["accept", grant])).code, 0, "it is nobody else's");
    await ben.must(t, ["accept", grant, "Ann's photos"]);
    const shared = join(ben.mount, "Shared", "Ann's photos");
    await appears(join(shared, "plain"), "one name");
    t.strictSame(readdirSync(join(ben.mount)), ["Shared"]);
    t.strictSame(readdirSync(shared).sort(), ["2026", "plain"], "files of two names are not there");
    t.equal(statSync(join(shared, "2026")).uid, process.getuid?.());
    t.equal(await sameTree(join(photos, "2026"), join(shared, "2026")), "");
    t.throws(() => writeFileSync(join(shared, "plain"), "mine"), { code: "EROFS" });
    t.throws(() => mkdirSync(join(shared, "more")), { code: "EROFS" });

    writeFileSync(join(photos, "2026", "news"), "second");
    await ann.must(t, ["flush", "--timeout", "90"]);
    await appears(join(shared, "2026", "news"), "second");
    renameSync(photos, join(ann.mount, "pictures"));
    writeFileSync(join(ann.mount, "pictures", "plain"), "after a move");
    await ann.must(t, ["flush", "--timeout", "90"]);
    await appears(join(shared, "plain"), "after a move");

    writeFileSync(join(ann.mount, "pictures", "2026", "june", "later"), randomBytes(2_000_000));
    const later = readFileSync(join(ann.mount, "pictures", "2026", "june", "later"));
    await ann.must(t, ["flush", "--timeout", "90"]);
    await until(async () => (await shares(ann)).given.every(({ told, holders }) => told === holders),
      { seconds: 60, what: "all holders know the newest state" });
    await ann.must(t, ["unmount"]);
    await until(async () => readdirSync(join(shared, "2026", "june")).length === 2,
      { seconds: 60, what: "the newest state came without its owner" });
    await ben.must(t, ["cache", "--drop"]);
    t.ok(readFileSync(join(shared, "2026", "june", "later")).equals(later), "from the holders");
    await ben.must(t, ["unmount"]);
    await ben.must(t, ["mount", ben.mount]);
    await appears(join(shared, "plain"), "after a move");

    await ann.must(t, ["mount", ann.mount]);
    await met(ann, 4);
    await ann.must(t, ["snapshots", "create"]);
    const revoked = await ann.must(t, [
      "revoke", join(ann.mount, "pictures"), "--from", "Ben", "--drop-snapshots",
    ]);
    t.match(revoked.error, /snapshots from before \(1\) go once all is sealed anew/);
    await isShutOut(ben);
    t.throws(() => statSync(shared), { code: "ENOENT" });
    t.strictSame((await shares(ann)).given, []);
    t.equal(await sameTree(join(ann.mount, "pictures"), join(ann.mount, "pictures")), "");
    const isDone = async () => (await shares(ann)).withdrawals[0]?.phase === "done";
    await until(isDone, { seconds: 90, what: "old copies are gone, and all holders said so" });
    const [withdrawal] = (await shares(ann)).withdrawals;
    t.match(withdrawal, { path: "/pictures", from: "Ben" });
    t.ok(withdrawal!.holders.length > 0, `${withdrawal!.holders.length} holders had old copies`);
    t.ok(withdrawal!.holders.every(({ asked, confirmed }) => asked > 0 && confirmed === asked));
    t.match((await ann.hive(["shares"])).out, /holders confirmed that the old copies are gone/);
    const { snapshots } = withdrawal as unknown as { readonly snapshots: number };
    t.equal(snapshots, 0, "what the snapshot had is let go of, too");
  });
