/** The pages for people and for probes, as a table of routes. */
import { Hono } from 'hono';
import { html } from 'hono/html';
import { feedState } from '../mirror/fetch/advisories.ts';
import {
  type RepositoryState,
  repositoryStates,
  type StateSource,
} from '../mirror/report/repository-state.ts';
import { ROOT_REPOSITORY } from './paths.ts';

export function createPages(source: StateSource): Hono {
  const pages = new Hono();
  pages.use(async (context, next) => {
    await next();
    context.header('cache-control', 'no-store');
    context.header('x-content-type-options', 'nosniff');
    context.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'");
  });
  pages.get('/healthz', (context) => context.text('ok\n'));
  pages.get('/readyz', async (context) => {
    const repositories = await repositoryStates(source);
    const ready = repositories.every((repository) => repository.ready);
    const advisories = await feedState(source.catalogue, source.config);
    // JSON leaves out what is undefined.
    return context.json({ ready, repositories, advisories }, ready ? 200 : 503);
  });
  pages.get('/', async (context) => {
    const repositories = await repositoryStates(source);
    const advisories = await feedState(source.catalogue, source.config);
    // The address comes from the browser's own address bar, not from a header that a client may have made up.
    return context.html(html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>serai</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
code { background: #f3f3f3; padding: .1rem .3rem; overflow-wrap: anywhere } .bad { color: #a00 } .wide { overflow-x: auto }
</style></head>
<body>
<h1>serai</h1>
<p>A verifying mirror for opam. Use it with <code>opam init ADDRESS-OF-THIS-PAGE</code>, or one of its
repositories with <code>opam repository add NAME ADDRESS-OF-THIS-PAGE/NAME</code>.</p>
<div class="wide"><table>
<tr><th>repository</th><th>upstream</th><th>versions</th><th>snapshot</th><th>published</th><th>last sync</th></tr>
${repositories.map(
  (repository) => html`<tr>
<td>${repository.name}${repository.name === ROOT_REPOSITORY ? ' (also at /)' : ''}</td>
<td>${originOf(repository)}${notesOf(repository).map((note) => html`<br><span class="bad">${note}</span>`)}</td>
<td>${repository.versions ?? '–'}${countsOf(repository).map((count) => html`<br>${count}`)}</td>
<td>${repository.snapshot === undefined ? '–' : html`<a href="/${repository.name}@${repository.snapshot}/repo"><code>${repository.snapshot}</code></a>`}</td>
<td>${repository.publishedAt ?? 'not yet'}</td>
<td>${repository.failure === undefined ? (repository.syncedAt ?? 'not yet') : html`<span class="bad">${repository.failure.code}: ${repository.failure.message}</span>`}</td>
</tr>`,
)}
</table></div>
${advisories === undefined ? '' : html`<p>Advisories from ${advisories.source}: ${advisories.documents}, read ${advisories.fetchedAt ?? 'never yet'}${advisories.failure === undefined ? '' : html`; <span class="bad">not since ${advisories.failure.since}: ${advisories.failure.message}</span>`}</p>`}
<p><a href="/readyz">/readyz</a> · <a href="/healthz">/healthz</a></p>
</body></html>`);
  });
  pages.notFound((context) => context.text('nothing is served under this path\n', 404));
  return pages;
}

function originOf({ upstream, sources, dialect }: RepositoryState): string {
  return sources === undefined ? `${upstream} (${dialect})` : `made of ${sources.join(', ')}`;
}

/** What clients do not get as upstream has it; serai status names each. */
function countsOf({ held, keptBack, removed }: RepositoryState): readonly string[] {
  return [
    ...((held?.length ?? 0) === 0 ? [] : [`${held?.length} held`]),
    ...((keptBack?.length ?? 0) === 0 ? [] : [`${keptBack?.length} kept back in their last good form`]),
    ...((removed ?? 0) === 0 ? [] : [`${removed} removed upstream and still served`]),
  ];
}

/** What must be said loudly of a signed repository. */
function notesOf({ freshness, warnings }: RepositoryState): readonly string[] {
  return [
    ...(freshness === 'stale' ? ['stale: its signed snapshot is older than max_age allows'] : []),
    ...(warnings ?? []),
  ];
}
