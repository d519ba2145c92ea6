/** nginx, varnish and a bare Node server over the same files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Started } from './bench.ts';
import { firstAnswer, freePort } from './http.ts';

export interface Server {
  readonly pid: number;
  readonly address: string;
  stop(): Promise<void>;
}

/** Where nginx serves files from, or what it is a caching proxy of. */
export type NginxSource = { readonly folder: string } | { readonly proxyOf: string };

/** One worker, sendfile, keep-alive without end, no logs. `probe` is a path that is answered with 200. */
export async function startNginx(bench: Bench, source: NginxSource, probe: string): Promise<Server> {
  const home = bench.path('nginx');
  mkdirSync(home);
  const port = await freePort();
  const file = join(home, 'nginx.conf');
  writeFileSync(file, nginxConfig(home, port, source));
  const started = bench.start('nginx', ['-p', home, '-e', 'stderr', '-c', file, '-g', 'daemon off;']);
  return ready(started, port, probe);
}

function nginxConfig(home: string, port: number, source: NginxSource): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${home}/${kind};`,
  );
  const location =
    'folder' in source
      ? [`      root ${source.folder};`]
      : [
          `      proxy_pass ${source.proxyOf};`,
          '      proxy_http_version 1.1;',
          '      proxy_set_header Connection "";',
          '      proxy_cache all;',
          '      proxy_cache_valid 200 1d;',
          '      proxy_cache_lock on;',
        ];
  return [
    // The workers of a master that is root's would be another user's, who may not read the folder.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'worker_processes 1;',
    `pid ${home}/pid;`,
    'events { worker_connections 4096; }',
    'http {',
    '  access_log off;',
    '  sendfile on;',
    '  tcp_nopush on;',
    '  keepalive_requests 1000000000;',
    '  keepalive_timeout 1h;',
    '  default_type application/octet-stream;',
    ...temporary,
    `  proxy_cache_path ${home}/cache levels=1:2 keys_zone=all:10m max_size=4g;`,
    '  server {',
    `    listen 127.0.0.1:${port};`,
    '    location / {',
    ...location,
    '    }',
    '  }',
    '}',
    '',
  ].join('\n');
}

/** In front of another server, with everything in memory. */
export async function startVarnish(bench: Bench, backend: string, probe: string): Promise<Server> {
  const home = bench.path('varnish');
  const port = await freePort();
  const started = bench.start('varnishd', [
    ...['-F', '-j', 'none', '-n', home, '-a', `127.0.0.1:${port}`, '-b', new URL(backend).host],
    ...['-s', 'malloc,256m', '-t', '86400'],
  ]);
  return ready(started, port, probe);
}

/** All files in memory, one `end` for each answer: what Node itself can do. */
export async function startBareNode(bench: Bench, folder: string, probe: string): Promise<Server> {
  const port = await freePort();
  const script = new URL('./bare-server.ts', import.meta.url).pathname;
  return ready(bench.start(process.execPath, [script, folder, String(port)]), port, probe);
}

/** What a miss takes at least; see bare-miss.ts. */
export async function startBareMiss(bench: Bench): Promise<Server> {
  const port = await freePort();
  const script = new URL('./bare-miss.ts', import.meta.url).pathname;
  return ready(bench.start(process.execPath, [script, String(port)]), port, '/');
}

async function ready(started: Started, port: number, probe: string): Promise<Server> {
  const address = `http://127.0.0.1:${port}`;
  const died = started.said('\0');
  await Promise.race([firstAnswer(address + probe), died]);
  return { pid: started.pid, address, stop: () => started.stop() };
}
