<?php
// SPDX-License-Identifier: Apache-2.0
//
// Single sign-on as the products do it (protocol 5.2, 5.3, 6), in both roles, for browsers and for
// peers.  What it remembers is in state.json under "sso":
//
//   users     name => profile: whom this site can vouch for (admin.php DIR user NAME JSON)
//   sessions  id => {user, from (the provider, or null), profile, ua}: browsers logged in here
//   tokens    token => {user, peer, ua, until, session, claimed: [callers]}
//   arrived   "user@provider" => {profile, landings, image, enrolments}: who landed here
//   kept      names that keepalive_server was told, newest last
//
// Switch "identity" (admin.php DIR set '{"identity": ...}'): what user_authorise says instead.  An
// object is laid over the profile (null removes a member); anything else is the answer itself.

namespace MnetPeer;

require_once __DIR__ . '/pages.php';

class SignOn
{
    public const AUTH = 'auth/mnet/auth.php/';
    private const EMPTY = ['users' => [], 'sessions' => [], 'tokens' => [], 'arrived' => [], 'kept' => []];
    // A PNG of one grey pixel.
    private const PICTURE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mPYCAAAlQCUUPgpHgAAAABJRU5E'
        . 'rkJggg==';

    public function __construct(private State $state)
    {
    }

    // --- what is remembered ----------------------------------------------------------------------

    public static function addUser(State $state, string $name, array $profile): void
    {
        $state->change(function (array &$data) use ($name, $profile) {
            $data['sso'] = ($data['sso'] ?? []) + self::EMPTY;
            $data['sso']['users'][$name] = $profile;
        });
    }

    public function all(): array
    {
        $this->state->load();
        return ($this->state->data['sso'] ?? []) + self::EMPTY;
    }

    public function change(callable $how)
    {
        return $this->state->change(function (array &$data) use ($how) {
            $data['sso'] = ($data['sso'] ?? []) + self::EMPTY;
            return $how($data['sso']);
        });
    }

    public function mahara(): bool
    {
        return $this->state->style() === 'mahara';
    }

    public static function browser(): string
    {
        return sha1($_SERVER['HTTP_USER_AGENT'] ?? '');
    }

    public function tell(string $peer, string $function, array $params): array
    {
        return (new Caller($this->state))->call($peer, self::AUTH . $function, $params, ['http' => ['timeout' => 15]]);
    }

    // --- as identity provider --------------------------------------------------------------------

    // A token for a user of ours: Moodle keeps one row per user, peer and browser, Mahara one per user.
    public function token(string $user, string $peer, ?string $session): string
    {
        $token = sha1(random_bytes(20));
        $this->change(function (array &$sso) use ($token, $user, $peer, $session) {
            $ua = self::browser();
            $sso['tokens'] = array_filter($sso['tokens'], fn ($t) => $t['user'] !== $user
                || !($this->mahara() || ($t['peer'] === $peer && $t['ua'] === $ua)));
            $sso['tokens'][$token] = ['user' => $user, 'peer' => $peer, 'ua' => $ua,
                'until' => time() + ($this->mahara() ? 15 : 30), 'session' => $session, 'claimed' => []];
        });
        return $token;
    }

    // Neither product compares the row's peer with the caller, and neither spends the token.
    private function redeem(string $token, string $ua, ?string $caller): array
    {
        $sso = $this->all();
        $row = $sso['tokens'][$token] ?? null;
        if ($this->mahara()) {
            $row ?? throw new Fault('No such session exists', 0);
        } elseif (!$row || $row['ua'] !== $ua) {
            throw new Fault('authfail_nosessionexists', 1);
        } elseif ($row['until'] < time()) {
            throw new Fault('authfail_sessiontimedout', 2);
        }
        $profile = $sso['users'][$row['user']] ?? throw new Fault('authfail_usermismatch', $this->mahara() ? 0 : 3);
        $this->change(function (array &$sso) use ($token, $caller) {
            $sso['tokens'][$token]['claimed'][] = $caller;
        });
        return ['username' => $row['user']] + $profile;
    }

    // In the types and with the members of each product.
    private function profile(array $user): array
    {
        $one = fn (string $name, string $default = '') => (string) ($user[$name] ?? $default);
        $basic = ['username' => $one('username'), 'email' => $one('email'), 'auth' => 'mnet'];
        $names = ['firstname' => $one('firstname'), 'lastname' => $one('lastname'), 'city' => $one('city'),
            'country' => $one('country')];
        if ($this->mahara()) {
            return $basic + ['confirmed' => 1, 'deleted' => 0] + $names
                + (isset($user['picture']) ? ['imagehash' => sha1(self::PICTURE)] : []) + ['myhosts' => []];
        }
        $old = $this->state->style() === 'moodle-old';
        $all = $basic + $names + ['lang' => $one('lang', 'en') . ($old ? '_utf8' : ''), 'timezone' => '99',
            'description' => $one('description'), 'mailformat' => '1', 'maildigest' => '0', 'maildisplay' => '2',
            'htmleditor' => '1'];
        $all += $old ? ['confirmed' => '1', 'deleted' => '0', 'picture' => '0'] : [];
        if (isset($user['picture']) && !$old) {
            $all += ['_mnet_userpicture_timemodified' => time(), '_mnet_userpicture_mimetype' => 'image/png'];
        }
        return $all + ['wwwroot' => $this->state->wwwroot(), 'session.gc_maxlifetime' => '1440',
            'myhosts' => [['name' => 'PHP peer', 'url' => $this->state->wwwroot(), 'count' => 3]]];
    }

    public function userAuthorise(array $params, ?string $caller)
    {
        $lies = array_key_exists('identity', $this->state->data['switches']);
        $lie = $lies ? $this->state->take('identity') : [];
        if ($lies && (!is_array($lie) || ($lie && array_is_list($lie)))) {
            return $lie;
        }
        $user = array_merge($this->profile($this->redeem((string) ($params[0] ?? ''), (string) ($params[1] ?? ''),
            $caller)), $lie);
        return array_filter($user, fn ($value) => $value !== null);
    }

    // An array for a user with or without a picture; false for nobody.
    public function fetchUserImage(array $params)
    {
        $user = $this->all()['users'][(string) ($params[0] ?? '')] ?? null;
        if ($user === null) {
            return false;
        }
        return isset($user['picture']) ? ['f1' => self::PICTURE, 'f1_mimetype' => 'image/png', 'f2' => self::PICTURE,
            'f2_mimetype' => 'image/png'] : ($this->mahara() ? '' : []);
    }

    public function keepaliveServer(array $params, ?string $caller)
    {
        $names = array_map('strval', (array) ($params[0] ?? []));
        $unknown = $this->change(function (array &$sso) use ($names, $caller) {
            array_push($sso['kept'], ...$names);
            $held = array_column(array_filter($sso['tokens'], fn ($t) => $t['peer'] === $caller), 'user');
            return array_diff($names, $held);
        });
        return $this->mahara() ? true : ['code' => $unknown ? 1 : 0, 'message' => $unknown
            ? 'We failed to refresh the session for the following usernames: ' . implode("\n", $unknown)
            : 'All ok', 'last log id' => '0'];
    }

    // A user of ours logged out at a peer.
    public function killChildren(array $params, ?string $caller)
    {
        [$user, $ua] = [(string) ($params[0] ?? ''), (string) ($params[1] ?? '')];
        $rows = array_filter($this->all()['tokens'], fn ($t) => $t['user'] === $user
            && ($this->mahara() || $t['ua'] === $ua));
        if ($this->mahara()) {
            if (!in_array($caller, array_column($rows, 'peer'), true)) {
                return 'This host is not permitted to kill sessions for this username';
            }
            $this->end(fn ($s) => $s['from'] === null && $s['user'] === $user);
            return true;
        }
        $report = $rows ? '' : "Could find no remote sessions\n";
        foreach ($rows as $token => $row) {
            if ($row['peer'] !== $caller && $row['claimed']) {
                $this->tell($row['peer'], 'kill_child', [$user, $ua]);
                $report .= "Deleting session\n";
            }
        }
        $this->change(function (array &$sso) use ($rows) {
            $sso['tokens'] = array_diff_key($sso['tokens'], $rows);
        });
        if ($rows) {
            $this->end(fn ($s) => $s['from'] === null && $s['user'] === $user);
        }
        return $report;
    }

    // Our user logs out here: the peers they went to from this browser are told.
    public function logoutHere(string $user): void
    {
        $ua = self::browser();
        foreach ($this->all()['tokens'] as $row) {
            if ($row['user'] === $user && $row['ua'] === $ua && $row['claimed']) {
                $this->tell($row['peer'], 'kill_child', [$user, $ua]);
            }
        }
        $this->change(function (array &$sso) use ($user, $ua) {
            $sso['tokens'] = array_filter($sso['tokens'], fn ($t) => $t['user'] !== $user || $t['ua'] !== $ua);
        });
    }

    // --- as service provider ---------------------------------------------------------------------

    // Whom the provider names, if the product would take them; else Trouble with what it would say.
    public function arrive(string $token, string $idp): array
    {
        $reply = $this->tell($idp, 'user_authorise', [$token, self::browser()]);
        if (isset($reply['error']) || isset($reply['fault'])) {
            throw new Trouble('idp', 'user_authorise: ' . json($reply['error'] ?? $reply['fault']));
        }
        $user = $reply['result'] ?? null;
        foreach (['username', 'firstname', 'lastname', 'email'] as $name) {
            if (!is_array($user) || !is_string($user[$name] ?? null) || $user[$name] === '') {
                throw new Trouble('idp', "not enough IdP info: $name");
            }
        }
        if (!$this->mahara() && strtolower($user['username']) !== $user['username']) {
            throw new Trouble('idp', 'the username must be in lower case');
        }
        if (isset($user['myhosts']) && !is_array($user['myhosts'])) {
            throw new Trouble('types', 'myhosts is no array');
        }
        foreach ($user as $name => $value) {
            if ($name !== 'myhosts' && is_array($value)) {
                throw new Trouble('types', "$name is no scalar");
            }
            if (is_string($value) && !preg_match('//u', $value)) { // what their databases say to that
                throw new Trouble('types', "invalid byte sequence for encoding \"UTF8\" in $name");
            }
        }
        return $user;
    }

    // What each asks the provider after a landing; a Mahara on PHP 8 dies of an image that is no array.
    private function afterwards(string $idp, string $name, array $user, bool $first): array
    {
        $asked = [];
        if ($this->mahara() || isset($user['_mnet_userpicture_timemodified'])) {
            $reply = $this->tell($idp, 'fetch_user_image', [$name]);
            if (!is_array($reply['result'] ?? null)) {
                throw new Trouble('types', 'fetch_user_image answered no array: ' . json($reply['result'] ?? $reply));
            }
            $asked['image'] = array_keys($reply['result']);
        }
        if (!$this->mahara() && !$first) {
            $reply = $this->tell($idp, 'update_enrolments', [$name, [['id' => '12', 'fullname' => 'Physik Ångström',
                'shortname' => 'PHY', 'cat_id' => '3', 'cat_name' => 'Science', 'defaultroleid' => '5',
                'defaultrolename' => 'Student', 'startdate' => '1693526400', 'sortorder' => '1', 'idnumber' => '',
                'summary' => '', 'cat_description' => '']]]);
            $asked['enrolments'] = $reply['fault'] ?? $reply['error'] ?? 'told';
        }
        return $asked;
    }

    // The id of the new session.
    public function land(string $token, string $idp): string
    {
        $user = $this->arrive($token, $idp);
        $name = (string) $user['username'];
        $key = "$name@$idp";
        $first = !isset($this->all()['arrived'][$key]);
        $asked = $this->afterwards($idp, $name, $user, $first);
        return $this->begin($name, $idp, $user, function (array &$sso) use ($key, $user, $asked) {
            $landings = ($sso['arrived'][$key]['landings'] ?? 0) + 1;
            $sso['arrived'][$key] = ['profile' => $user, 'landings' => $landings] + $asked;
        });
    }

    // A user logged out at their provider.
    public function killChild(array $params, ?string $caller): bool
    {
        [$user, $ua] = [(string) ($params[0] ?? ''), (string) ($params[1] ?? '')];
        return $this->end(fn ($s) => $s['from'] === $caller && $s['user'] === $user
            && ($this->mahara() || $s['ua'] === $ua)) > 0;
    }

    // --- sessions --------------------------------------------------------------------------------

    public function begin(string $user, ?string $from, array $profile, ?callable $more = null): string
    {
        $id = bin2hex(random_bytes(16));
        $this->change(function (array &$sso) use ($id, $user, $from, $profile, $more) {
            $sso['sessions'][$id] = ['user' => $user, 'from' => $from, 'profile' => $profile, 'ua' => self::browser()];
            if ($more) {
                $more($sso);
            }
        });
        return $id;
    }

    // How many were ended.
    public function end(callable $which): int
    {
        return $this->change(function (array &$sso) use ($which) {
            $before = count($sso['sessions']);
            $sso['sessions'] = array_filter($sso['sessions'], fn ($s) => !$which($s));
            return $before - count($sso['sessions']);
        });
    }
}
