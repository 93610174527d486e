// Starts Unleash for benchmarks/harness/peers.py, which copies this file beside the package.
import { start } from 'unleash-server';

const given = JSON.parse(process.argv[2]);
const token = (secret, type, environment) => ({
    secret, type, environment, projects: ['*'], tokenName: type,
});
const plenty = 1_000_000_000; // a minute: its limits are not what is measured

await start({
    db: { ...fromUrl(given.database), ssl: false },
    server: { port: given.port, host: '127.0.0.1' },
    authentication: {
        type: 'none',
        initApiTokens: [token(given.admin, 'admin', '*'), token(given.frontend, 'frontend', 'development')],
    },
    rateLimiting: { sdkApiMaxPerMinute: plenty, tokenAuthenticationMaxPerMinute: plenty },
    versionCheck: { enable: false },
    telemetry: false,
});

function fromUrl(text) {
    const url = new URL(text);
    return {
        user: url.username, password: url.password, host: url.hostname, port: Number(url.port || 5432),
        database: url.pathname.slice(1),
    };
}
