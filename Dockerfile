# A Towpath worker. Its data directory is what makes it a host: see docs/hosts.md.
ARG NODE_IMAGE=node:20.19.5-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json LICENSE CHANGELOG.md ./
COPY bin bin
COPY scripts scripts
COPY src src
RUN node scripts/build.mjs \
    && npm prune --omit=dev --ignore-scripts \
    && node scripts/slim.mjs

FROM ${NODE_IMAGE}
# A base image that has them all needs no package source.
RUN { command -v git && command -v ssh && command -v ps && [ -e /etc/ssl/certs/ca-certificates.crt ]; } >/dev/null \
    || { apt-get update \
      && apt-get install -y --no-install-recommends ca-certificates git openssh-client procps \
      && rm -rf /var/lib/apt/lists/*; }
COPY --from=build /build/package.json /build/LICENSE /build/CHANGELOG.md /opt/towpath/
COPY --from=build /build/bin /opt/towpath/bin
COPY --from=build /build/dist /opt/towpath/dist
COPY --from=build /build/node_modules /opt/towpath/node_modules
COPY deploy/run-worker.sh deploy/is-healthy.sh /opt/towpath/deploy/
RUN ln -s /opt/towpath/bin/towpath.js /usr/local/bin/towpath \
    && chmod 755 /opt/towpath/bin/towpath.js /opt/towpath/deploy/*.sh \
    && mkdir -m 700 /data && chown 1000:1000 /data
ENV NODE_ENV=production \
    HOME=/data \
    TOWPATH_HEALTH_ADDRESS=127.0.0.1:8080 \
    TOWPATH_METRICS_ADDRESS=0.0.0.0:9464
USER 1000:1000
WORKDIR /data
VOLUME /data
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/towpath/deploy/is-healthy.sh"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/towpath/deploy/run-worker.sh"]
