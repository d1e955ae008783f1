<?php
// SPDX-License-Identifier: Apache-2.0
//
// The peer as a Moodle with courses: the service mnet_enrol (protocol 5.4) and what a ledger asks of it
// (protocol 9).  Its state is "school" (admin.php DIR change '{"school": {...}}'):
//
//   courses     list of {remoteid, fullname, shortname, idnumber, cat_name, open: false}
//   enrolments  remoteid => username => {host, role, enrol}
//   users       username => list of {sectionid, role, ...}: what list_user_enrolments answers
//   everything  what list_everything answers; without it there is no such method
//   slow        seconds before each answer
//   old         true: in the shapes of Moodle 1.9

namespace MnetPeer;

class School
{
    public const ENROL = 'enrol/mnet/enrol.php/';

    public function __construct(private State $state, private ?string $caller)
    {
    }

    public static function table(array $school): array
    {
        if (!$school) {
            return [];
        }
        $table = [];
        foreach (['available_courses', 'user_enrolments', 'enrol_user', 'unenrol_user', 'course_enrolments'] as $f) {
            $table[self::ENROL . $f] = 'mnet_enrol';
        }
        $prefix = $school['prefix'] ?? 'mod/schooltool/rpclib.php';
        $table["$prefix/list_user_enrolments"] = 'schooltool';
        if (isset($school['everything'])) {
            $table["$prefix/list_everything"] = 'schooltool';
        }
        return $table;
    }

    private function data(): array
    {
        return $this->state->data['school'] + ['courses' => [], 'enrolments' => [], 'users' => [], 'old' => false];
    }

    private function change(callable $how)
    {
        return $this->state->change(fn (array &$data) => $how($data['school']));
    }

    public function call(string $method, array $params)
    {
        if (isset($this->state->data['school']['slow'])) {
            usleep((int) (1e6 * $this->state->data['school']['slow']));
        }
        return match (basename($method)) {
            'available_courses' => $this->courses(),
            'user_enrolments' => [],
            'enrol_user' => $this->enrol((array) ($params[0] ?? []), (string) ($params[1] ?? '')),
            'unenrol_user' => $this->unenrol((string) ($params[0] ?? ''), (string) ($params[1] ?? '')),
            'course_enrolments' => $this->enrolments((string) ($params[0] ?? ''), $params[1] ?? ''),
            'list_user_enrolments' => $this->data()['users'][(string) ($params[0] ?? '')]
                ?? throw new Fault('enrol_mnet/usernotfound', 5014),
            'list_everything' => $this->data()['everything'],
        };
    }

    private function courses(): array
    {
        $list = [];
        foreach ($this->data()['courses'] as $i => $course) {
            if (!($course['open'] ?? true)) {
                continue;
            }
            $one = ['remoteid' => (string) $course['remoteid'], 'fullname' => $course['fullname'],
                'shortname' => $course['shortname'] ?? '', 'idnumber' => $course['idnumber'] ?? '',
                'summary' => '<p>About it.</p>', 'summaryformat' => '1', 'sortorder' => (string) (10001 + $i),
                'startdate' => '1700000000', 'cat_id' => '1', 'cat_name' => $course['cat_name'] ?? 'Miscellaneous',
                'cat_description' => '', 'cat_descriptionformat' => '1', 'cost' => '', 'currency' => '',
                'defaultroleid' => '5', 'defaultrolename' => 'Student'];
            if ($this->data()['old']) {
                unset($one['summaryformat'], $one['cat_descriptionformat']);
                $list['c' . $course['remoteid']] = $one;
            } else {
                $list[] = $one;
            }
        }
        return $list;
    }

    private function course(string $id): array
    {
        foreach ($this->data()['courses'] as $course) {
            if ((string) $course['remoteid'] === $id) {
                return ($course['open'] ?? true) ? $course : throw new Fault('enrol_mnet/courseunavailable', 5013);
            }
        }
        throw new Fault('enrol_mnet/coursenotfound', 5012);
    }

    private function enrol(array $user, string $id)
    {
        if (($user['username'] ?? '') === '') {
            throw new Fault('enrol_mnet/emptyusername', 5021);
        }
        if ($this->data()['old']) {
            try {
                $this->course($id);
            } catch (Fault $e) {
                return false;
            }
        }
        $this->course($id);
        $this->change(function (array &$school) use ($user, $id) {
            $school['enrolments'][$id][$user['username']] = ['host' => $this->caller, 'role' => 'student',
                'enrol' => 'mnet', 'profile' => $user];
        });
        return true;
    }

    private function unenrol(string $username, string $id)
    {
        $known = false;
        foreach ($this->data()['enrolments'] as $users) {
            $known = $known || ($users[$username]['host'] ?? null) === $this->caller;
        }
        if (!$known) {
            throw new Fault('enrol_mnet/usernotfound', 5014);
        }
        $this->course($id);
        $this->change(function (array &$school) use ($username, $id) {
            unset($school['enrolments'][$id][$username]);
        });
        return true;
    }

    private function enrolments(string $id, $roles)
    {
        $known = array_filter($this->data()['courses'], fn ($c) => (string) $c['remoteid'] === $id);
        if (!$known) {
            return $this->data()['old'] ? 'no course' : [];
        }
        $roles = is_array($roles) ? $roles : array_filter(explode(',', (string) $roles), 'strlen');
        $list = [];
        foreach ($this->data()['enrolments'][$id] ?? [] as $username => $one) {
            if ($one['host'] !== $this->caller || ($roles && !in_array($one['role'], $roles, true))) {
                continue;
            }
            $entry = ['username' => (string) $username, 'shortname' => $one['role'], 'name' => '',
                'enrol' => $one['enrol'] ?? 'manual', 'timemodified' => '1700000000'];
            if ($this->data()['old']) {
                unset($entry['username']);
                $list[$username] = $entry;
            } else {
                $list[] = $entry;
            }
        }
        return $list;
    }
}
