<?php
// SPDX-License-Identifier: Apache-2.0
//
// What a browser meets at the peer: its first page, a login form, jump, land and logout.

namespace MnetPeer;

class Pages
{
    private SignOn $signOn;
    private string $cookie;

    public function __construct(private State $state)
    {
        $this->signOn = new SignOn($state);
        // Browsers keep the cookies of all ports together.
        $this->cookie = 'peer_session_' . (parse_url($state->wwwroot(), PHP_URL_PORT) ?? 0);
    }

    // Answers a path below the wwwroot; false if there is no such page.
    public function serve(string $path): bool
    {
        $application = APPLICATIONS[application($this->state->style())];
        $page = match ($path) {
            '/', '/index.php' => 'home',
            '/login/index.php' => 'login',
            '/login/logout.php' => 'logout',
            $application['jump'] => 'jump',
            $application['land'] => 'land',
            default => str_starts_with($path, '/view/') ? 'home' : null,
        };
        if ($page === null) {
            return false;
        }
        try {
            $this->$page();
        } catch (Trouble $e) { // their pages of errors
            $status = $e->kind === 'types' ? 500 : ($this->signOn->mahara() ? 403 : 404);
            $this->show($status, 'Error', '<p class="error">' . htmlspecialchars($e->getMessage()) . '</p>');
        }
        return true;
    }

    private function show(int $status, string $title, string $body): void
    {
        http_response_code($status);
        header('Content-Type: text/html; charset=utf-8');
        echo "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", htmlspecialchars($title),
            "</title></head>\n<body><h1>", htmlspecialchars($title), "</h1>\n$body</body></html>\n";
    }

    private function go(string $location): void
    {
        http_response_code(302);
        header("Location: $location");
    }

    private function one(string $name): ?string
    {
        $value = $_GET[$name] ?? $_POST[$name] ?? null;
        return is_string($value) ? $value : null;
    }

    private function needed(string $name): string
    {
        return $this->one($name) ?? throw new Trouble('page', "A required parameter ($name) was missing");
    }

    private function session(): ?array
    {
        $id = $_COOKIE[$this->cookie] ?? '';
        $session = $this->signOn->all()['sessions'][$id] ?? null;
        return $session ? ['id' => $id] + $session : null;
    }

    private function remember(string $id): void
    {
        setcookie($this->cookie, $id, ['path' => (parse_url($this->state->wwwroot(), PHP_URL_PATH) ?? '') . '/',
            'httponly' => true]);
    }

    private function home(): void
    {
        $session = $this->session();
        $own = $this->state->wwwroot();
        if (!$session) {
            $body = '<p id="who">You are not logged in.</p><p><a href="' . $own . '/login/index.php">Log in</a></p>';
            $this->show(200, "A {$this->state->style()} in PHP", $body);
            return;
        }
        $name = trim(($session['profile']['firstname'] ?? '') . ' ' . ($session['profile']['lastname'] ?? ''));
        $body = '<p id="who">You are logged in as ' . htmlspecialchars("$name ({$session['user']}"
            . ($session['from'] ? " of {$session['from']}" : '')) . ').</p>';
        if (!$session['from']) {
            $body .= '<h2>Network servers</h2><ul>';
            foreach (array_keys($this->state->data['peers']) as $peer) {
                $jump = $this->signOn->mahara() ? '/auth/xmlrpc/jump.php?ins=1&wr=' : '/auth/mnet/jump.php?hostwwwroot=';
                $body .= '<li><a class="server" href="' . htmlspecialchars($own . $jump . urlencode($peer)) . '">'
                    . htmlspecialchars($peer) . '</a></li>';
            }
            $body .= '</ul>';
        }
        $body .= '<p id="path">' . htmlspecialchars($_SERVER['REQUEST_URI']) . '</p>'
            . "<p><a id=\"logout\" href=\"$own/login/logout.php\">Log out</a></p>";
        $this->show(200, "A {$this->state->style()} in PHP", $body);
    }

    // Any password will do.
    private function login(): void
    {
        $user = $this->one('username');
        $profile = $user === null ? null : $this->signOn->all()['users'][$user] ?? null;
        $wants = $this->one('wantsurl') ?? '/';
        if ($profile !== null) {
            $this->remember($this->signOn->begin($user, null, $profile));
            $this->go(str_starts_with($wants, '/') ? $this->state->wwwroot() . $wants : $this->state->wwwroot() . '/');
            return;
        }
        $this->show(200, 'Log in', '<form method="post"><input type="hidden" name="wantsurl" value="'
            . htmlspecialchars($wants) . '"><p><label>Username <input name="username" id="username"></label></p>'
            . '<p><button id="login">Log in</button></p></form>');
    }

    private function jump(): void
    {
        $mahara = $this->signOn->mahara();
        if ($mahara) {
            $this->needed('ins');
            $to = $this->needed('wr');
        } else {
            $to = rtrim($this->one('hostwwwroot') ?? '', '/');
            $to = $to !== '' && !str_starts_with($to, 'http') ? "http://$to" : $to;
            $to = $to !== '' ? $to : array_keys($this->state->data['peers'])[(int) $this->one('hostid') - 1] ?? '';
        }
        $session = $this->session();
        if (!$session) {
            $path = substr($_SERVER['REQUEST_URI'], strlen(parse_url($this->state->wwwroot(), PHP_URL_PATH) ?? ''));
            $this->go($this->state->wwwroot() . '/login/index.php?wantsurl=' . urlencode($path));
            return;
        }
        if ($session['from'] !== null) {
            throw new Trouble('page', 'You do not have permission to roam to other sites');
        }
        $peer = $this->state->peer($to) ?? throw new Trouble('page', 'That host is not known');
        $wants = $this->one('wantsurl') ?? ($mahara ? '' : '/');
        // idp is not encoded by either product; Mahara encodes nothing.
        $this->go($to . APPLICATIONS[$peer['application']]['land'] . '?token='
            . $this->signOn->token($session['user'], $to, $session['id']) . '&idp=' . $this->state->wwwroot()
            . '&wantsurl=' . ($mahara ? $wants : urlencode($wants))
            . ($this->one('remoteurl') !== null && $mahara ? '&remoteurl=1' : ''));
    }

    private function land(): void
    {
        $token = $this->needed('token');
        $idp = $this->needed('idp');
        $wants = $this->signOn->mahara() ? $this->one('wantsurl') ?? '/' : $this->needed('wantsurl');
        $this->state->peer($idp) ?? throw new Trouble('page', "You are not permitted to land from $idp");
        $this->remember($this->signOn->land($token, $idp));
        if (!$this->signOn->mahara() && !str_starts_with($wants, '/')) {
            $wants = '';
        }
        $own = $this->state->wwwroot();
        $this->go(match (true) {
            (bool) $this->one('remoteurl') => $idp . $wants,
            $this->signOn->mahara() => "$own/" . ltrim($wants, '/'),
            default => $own . $wants,
        });
    }

    private function logout(): void
    {
        $session = $this->session();
        if (!$session) {
            $this->go($this->state->wwwroot() . '/');
            return;
        }
        $this->signOn->change(function (array &$sso) use ($session) {
            unset($sso['sessions'][$session['id']]);
        });
        if ($session['from'] !== null) {
            $this->signOn->tell($session['from'], 'kill_children', [$session['user'], SignOn::browser()]);
            $this->go($session['from'] . '/');
            return;
        }
        $this->signOn->logoutHere($session['user']);
        $this->go($this->state->wwwroot() . '/');
    }
}
