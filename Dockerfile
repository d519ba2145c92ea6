# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
WORKDIR /serai
COPY package.json package-lock.json ./
# The image brings Node 24 itself; no install script has anything to do here.
RUN npm ci --ignore-scripts
COPY rolldown.config.ts tsconfig.json ./
COPY src ./src
RUN node node_modules/rolldown/bin/cli.mjs --config rolldown.config.ts && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends git ca-certificates \
 && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn* \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin serai \
 && install -d -o serai -g serai /data
WORKDIR /serai
COPY --from=build /serai/package.json ./
COPY --from=build /serai/node_modules ./node_modules
COPY --from=build /serai/dist ./dist
USER serai
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["dist/serai"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--data", "/data"]
