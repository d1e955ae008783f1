#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# mnetctl ledger beside a running server: what is entered by hand, spreadsheets in and out, reports for
# people; and a server that is killed while grades arrive.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Encode qw(encode_utf8 decode_utf8);
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::School;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $t = Mnet::School->start(styles => ['moodle']);
$t->first_class('moodle');

sub sheet {
    my ($text, @args) = @_;
    my $file = $t->harness->root . '/sheet.csv';
    Mnet::Harness::write_file($file, utf8::is_utf8($text) ? encode_utf8($text) : $text);
    return $t->ledger('import', $file, @args);
}

sub plain { my $got = $t->harness->mnetctl('ledger', map { encode_utf8($_) } @_); $got->{$_} = decode_utf8($got->{$_}) for qw(out err); return $got }
sub errors { return join ' | ', map { "$_->{line} $_->{column}: $_->{message}" } @{ $_[0]{json}{error}{errors} || [] } }

subtest 'entered by hand' => sub {
    for my $step (['add-person', '--idnumber', '31', '--first', 'Čeněk', '--last', 'Ω'], ['add-section', 'Chor', '--idnumber', 'ch', '--term', '1,2', '--teacher', '31'],
        ['enrol', '1234457', 'Chor'], ['add-assessment', 'Chor', 'Solo', '--points', '10', '--extra-credit'], ['grade', '1234457', 'Chor', 'Solo', '7'],
        ['grade', '1234457', 'Chor', 'Solo', '--excepted', '--attempt', '2'], ['withdraw', '1234457', 'Chor', '--failing', '--code', 'W9']) {
        my $got = $t->ledger(@$step, '--by', 'Mr Brown');
        ok($got->{exit} == 0 && $got->{json}{added} + $got->{json}{changed} >= 1, "@$step[0 .. 1]") or diag $got->{out};
        $got = $t->ledger(@$step, '--by', 'Mrs Green');
        ok($got->{exit} == 0 && $got->{json}{added} + $got->{json}{changed} == 0, '  again changes nothing') or diag $got->{out};
    }
    for my $case (['nobody', qw(enrol nobody Chor)], ['no section', qw(enrol 31 Nichts)], ['a role', qw(enrol 31 Chor --role janitor)],
        ['who is not in', qw(withdraw 2347234 Chor)], ['no assessment', qw(grade 1234457 Chor Duett 5)], ['too many points', qw(grade 1234457 Chor Solo 11)],
        ['no number', qw(grade 1234457 Chor Solo many)], ['no points', qw(add-assessment Chor Duett)], ['nobody to be known by', qw(add-person --first X)],
        ['a term', qw(add-section Y --term spring)]) {
        my ($what, @args) = @$case;
        my $got = $t->ledger(@args);
        is($got->{exit}, 1, "refused: $what") or diag $got->{out};
        is($got->{json}{error}{kind}, 'refused', '  in so many words');
    }
    is($t->ledger('grade', '1234457', 'Chor', 'Solo', '--take-back', '--attempt', '9')->{exit}, 1, 'refused: nothing to take back');
    is($t->ledger('grade', '1234457', 'Chor', 'Solo')->{exit}, 2, 'a grade without points is no command');
    is($t->ledger('report')->{exit}, 2, 'a report of whom?');
    is($t->ledger(qw(report --student 31 --date yesterday))->{exit}, 2, 'of when?');
    is($t->ledger(qw(term 0 X))->{exit}, 2, 'a term 0');
};

subtest 'a report that reads well' => sub {
    $t->ledger(qw(term 1 Herbst));
    $t->ok_says('moodle', 'a grade', new_grade => { assessmentid => '73743734', userid => '1234457', points_earned => 62 });
    my $got = plain('report', '--student', '1234457');
    is($got->{exit}, 0, 'printed');
    my $text = $got->{out};
    like($text, qr/\AProgress report of Alice Ångström\n  idnumber 1234457\n  alice at http\S+\n  as of \S+Z, from http/, 'who, and as of when');
    like($text, qr/^Herbst\n  Algebra 1 \(197423\), Ms Gray\n    active since \d{4}-\d\d-\d\d \(127\S+\)\n    Quiz +62 of 68 +91 % +127\S+, \d{4}/m, 'a section and a grade');
    like($text, qr/^  Chor \(ch\), Čeněk Ω\n.*withdrawn failing since \S+ \(by hand \(Mr Brown\)\), code W9$/ms, 'its status with its history');
    like($text, qr/Solo \(extra credit\) +excepted +attempt 2, .*attempt 1: 7/, 'attempts');
    like(plain(qw(show 197423))->{out}, qr/1234457 +Alice Ångström +student +active.*73743734 +Quiz +68/s, 'a section');
    like(plain('status')->{out}, qr/people +4\n/, 'the ledger in numbers');
};

subtest 'spreadsheets: each kind' => sub {
    for my $case (['people', "idnumber,username,peer,firstname,lastname,email\n801,,,Ana,Ånes,a\@x.example\n802,ben,http://peer.example,Ben,B,\n", 2],
        ['sections', "\xEF\xBB\xBFsection;name;terms;teacher\r\nart;\"Art; history\";1 2;801\r\n", 2],
        ['enrolments', "user\tsection\trole\tstatus\n801\tart\tteacher\t\n802\tart\t\tactive\n1234457\tart\tstudent\tpassed\n", 2],
        ['assessments', "Section,Name,Points possible,Extra credit\nart,\"The \"\"Blue\"\" Rider\",\"12,5\",no\nart,Sketch,5,yes\n", 2],
        ['grades', "student,section,assignment,points,attempt\r802,art,\"The \"\"Blue\"\" Rider\",\"12,5\",1\r802,art,Sketch,3,\r1234457,art,Sketch,4.5,2\r", 3]) {
        my ($what, $text, $added) = @$case;
        my $got = sheet($text);
        is($got->{exit}, 0, "$what are entered") or diag $got->{out};
        is($got->{json}{added}, $added, '  all of them') or diag $got->{out};
        is(sheet($text)->{json}{added}, 0, '  once');
    }
    is_deeply($t->grades('802', 'Art; history'), { 'The "Blue" Rider' => 12.5, Sketch => 3 }, 'grades are there');
    is($t->report('1234457')->{'Art; history'}{status}, 'passed', '  statuses, too');
    is($t->ledger('import', '/nonexistent.csv')->{exit}, 1, 'no such file');
};

subtest 'a gradebook: a row a student, a column an assessment' => sub {
    my $got = sheet("student,name,Quiz\n1234457,Alice,60\n2347234,Bob,\n", '--what', 'gradebook', '--section', '197423');
    is($got->{json}{added}, 1, 'what is filled in is entered') or diag $got->{out};
    is($t->grades('1234457', 'Algebra 1')->{Quiz}, 60, '  by hand, which counts');
    $got = sheet("student,Quiz,Quizz\n1234457,90,1\n", '--what', 'gradebook', '--section', '197423');
    is(errors($got), '2 Quiz: 90 is more than the 68 points of "Quiz" | 2 Quizz: there is no assessment "Quizz"', 'mistakes are told by their column');
};

subtest 'spreadsheets: all or nothing, and where the mistakes are' => sub {
    my $before = $t->counts;
    my $head = "user,section,assessment,points,attempt\n";
    for my $case (
        ['a wrong row among good ones', "${head}802,art,Sketch,1,1\n803,art,Sketch,1,1\n802,art,Sketch,99,1\n", '3 user: there is no user "803" | 4 points: 99 is more than the 5 points of "Sketch"'],
        ['too many cells', "${head}802,art,Sketch,1,1,x\n", '2 6: there are more cells than the first line has columns'],
        ['a number that is none', "${head}802,art,Sketch,A+,1\n", '2 points: a number is expected'],
        ['nothing where something must be', "${head}802,art,Sketch,,\n,art,Sketch,1,\n", '2 points: it is missing | 3 user: it is missing'],
        ['a quote that is never closed', "${head}802,art,\"Sketch,1,1\n802,art,Sketch,1,1\n", '2 3: a quote is opened and never closed'],
        ['something behind a quote', "${head}802,art,\"Sketch\"x,1,1\n", '2 3: something stands behind a closing quote'],
        ['lines within cells are counted', "${head}802,art,Sketch,1,1\n\"80\n2\",art,Sketch,1,1\n804,art,Sketch,1,1\n", '3 user: it has a control character in it | 5 user: there is no user "804"'],
        ['Latin-1', "${head}802,art,\xC5ngstr\xF6m,1,1\n", '2 3: it is not UTF-8; save the spreadsheet as "CSV UTF-8" (Unicode)'],
        ['an unknown column', "user,section,points,colour\n", '1 colour: grades have no such column; they have: section, assessment, assessment_name, user, points, attempt, excepted'],
        ['a column twice', "user,section,assessment,points,student\n", '1 student: the column is there twice'],
        ['no header', "802,art,Sketch,1,1\n", '1 1: the first line must name the columns, as in user,section,assessment,points'],
        ['a megabyte in a cell', $head . 'x' x 1_000_000 . ",art,Sketch,1,1\n", '2 1: the cell is too long']) {
        my ($what, $text, $errors) = @$case;
        my $got = sheet($text);
        is($got->{exit}, 1, $what);
        is(errors($got), $errors, '  is told with line and column');
    }
    is_deeply($t->counts, $before, 'nothing of all that was entered');
    my $got = plain('import', $t->harness->root . '/sheet.csv');
    like($got->{err}, qr/sheet\.csv: line 2, column 1: the cell is too long.*nothing of it was entered/s, 'for people as well');
    is(sheet('')->{exit}, 1, 'an empty file');
    is(sheet($head . "999,art,Sketch,1,1\n" x 1000)->{json}{error}{errors}[-1]{line}, 51, 'no more than fifty are told');
};

subtest 'out again' => sub {
    $t->ledger('add-person', '--idnumber', '66', '--first', '=HYPERLINK("http://evil.example")', '--last', "a\"b,c;d");
    $t->ledger('add-person', '--idnumber', '67', '--first', '@x', '--last', '-1+1');
    my $csv = plain(qw(export --format csv --what people))->{out};
    my ($head) = $csv =~ /\A([^\r]*)\r\n/;
    is($head, 'idnumber,username,peer,firstname,lastname,email,may_log_in,source,since', 'CSV with a header and CRLF');
    like($csv, qr/^66,,,"'=HYPERLINK\(""http:\/\/evil\.example""\)","a""b,c;d",/m, 'a formula is defused, quotes are doubled');
    like($csv, qr/^67,,,"'\@x","'-1\+1",/m, '  of every kind');
    unlike(plain(qw(export --format csv --what people --raw))->{out}, qr/'=/, '  unless asked not to');
    like($csv, qr/Ångström/, 'in UTF-8');
    my $people = $t->ledger(qw(export --what people))->{json}{people};
    is((grep { ($_->{idnumber} // '') eq '66' } @$people)[0]{firstname}, '=HYPERLINK("http://evil.example")', 'JSON has it as it is');
    my $before = $t->counts;
    for my $what (qw(people sections enrolments assessments grades)) {
        my $file = $t->harness->root . "/out-$what.csv";
        Mnet::Harness::write_file($file, encode_utf8(plain('export', '--format', 'csv', '--what', $what)->{out}));
        my $got = $t->ledger('import', $file, '--what', $what);
        is($got->{exit}, 0, "an export of $what can be imported") or diag $got->{out};
        is($got->{json}{added}, $what eq 'grades' ? $got->{json}{added} : 0, '  and adds nothing');
    }
    is($t->counts->{$_}, $before->{$_}, "as many $_ as before") for qw(people sections enrolments assessments);
    my $all = $t->ledger('export')->{json};
    is_deeply([sort keys %$all], [sort qw(wwwroot people sections enrolments assessments grades history)], 'all of it as JSON');
    ok((grep { $_->{kind} eq 'grade' && $_->{points} == 62 } @{ $all->{history} }), '  with the history');
    is_deeply([sort keys %{ { map { $_->{kind} => 1 } @{ $all->{history} } } }], [qw(assessment enrolment grade person section)], '    of everything');
    my %seen;
    is((scalar grep { $seen{ $_->{entry} }++ } @{ $all->{history} }), 0, '    each entry once');
    is($t->ledger(qw(export --format csv))->{exit}, 2, 'CSV of what?');
    is($t->ledger(qw(export --format xml))->{exit}, 2, 'no XML');
};

subtest 'only its owner may' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my @got = stat $t->harness->state_dir . '/data.mdb';
    is($got[2] & 077, 0, 'nobody else reads the store');
};

# --- killed --------------------------------------------------------------------------------------

subtest 'killed while grades arrive: each that was acknowledged is there' => sub {
    my ($rounds, $said, @lost) = (0, 0);
    my @students = map { "70$_" } 10 .. 69;
    my $path = 'mod/schooltool/rpclib.php';
    $t->says('moodle', synchronise => { users => [map { { username => "u$_", idnumber => $_ } } @students],
        enrolments => [map { { sectionid => '197423', userid => $_, role => 'student' } } @students] });
    for my $round (1 .. 5) {
        my $out = $t->harness->root . "/acks.$round";
        my @calls = map { my $attempt = $_; map { ["$path/new_grade", [{ assessmentid => '73743734', userid => $_,
            points_earned => ($round * 7 + $attempt) % 69, attempt_num => $round * 100 + $attempt }]] } @students } 1 .. 5;
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            setpgrp 0, 0;
            my $peer = $t->peer('moodle');
            local $ENV{OPENSSL_CONF} = "$Bin/peer/openssl-legacy.cnf";
            Mnet::Harness::write_file("$out.in", JSON::PP->new->utf8->encode(\@calls));
            open STDIN, '<', "$out.in";
            open STDOUT, '>', $out;
            open STDERR, '>', '/dev/null';
            exec Mnet::PhpPeer::php(), "$Bin/peer/client.php", '--state', $peer->dir, '--to', $t->site, '--timeout', 5, 'many', '-' or POSIX::_exit(127);
        }
        my $wanted = 10 + int rand 60;
        my $acks = sub { my $text = Mnet::Harness::slurp($out); my $n = () = $text =~ /"result":true/g; return $n };
        Mnet::Harness::wait_for(sub { $acks->() >= $wanted }, 20);
        sleep 0.001 * rand 20; # killed at any moment of a call
        $t->harness->kill9;
        kill 'KILL', -$pid;
        waitpid $pid, 0;
        my $done = $acks->();
        $said += $done;
        $t->harness->start;
        my %there;
        for my $row (@{ $t->ledger(qw(export --what grades))->{json}{grades} }) {
            $there{"$row->{user} $row->{attempt}"} = $row->{points};
        }
        for my $call (@calls[0 .. $done - 1]) {
            my $grade = $call->[1][0];
            my $found = $there{"$grade->{userid} $grade->{attempt_num}"};
            push @lost, "round $round: $grade->{userid} attempt $grade->{attempt_num}" if !defined $found || $found != $grade->{points_earned};
        }
        my $history = () = $t->ledger(qw(export --what history))->{out} =~ /"kind":"grade"/g;
        push @lost, "round $round: " . keys(%there) . " grades, $history entries" if $history < keys %there;
        $rounds++;
    }
    is($rounds, 5, 'killed five times');
    cmp_ok($said, '>', 50, "while grades were acknowledged ($said)");
    is_deeply(\@lost, [], 'none was lost, and each has its entry in the history');
};

subtest '100,000 grades' => sub {
    my ($students, $items) = (1000, 100);
    sheet("idnumber,lastname\n" . join '', map { "m$_,Many\n" } 1 .. $students);
    $t->ledger(qw(add-section Crowd --idnumber crowd));
    sheet("user,section\n" . join '', map { "m$_,crowd\n" } 1 .. $students);
    sheet("section,name,points_possible\n" . join '', map { "crowd,Work $_,100\n" } 1 .. $items);
    my $grades = "user,section,assessment,points\n" . join '', map { my $s = $_; map { "m$s,crowd,Work $_,@{[($s + $_) % 101]}\n" } 1 .. $items } 1 .. $students;
    is(sheet($grades)->{json}{added}, $students * $items, 'are entered');
    is(sheet($grades)->{json}{same}, $students * $items, '  once');
    my $started = time;
    is($t->grades('m500', 'Crowd')->{'Work 50'}, 550 % 101, 'a report finds its own');
    cmp_ok(time - $started, '<', 2, '  at once');
    my $csv = $t->harness->mnetctl(qw(ledger export --format csv --what grades))->{out};
    cmp_ok(scalar(() = $csv =~ /\r\n/g), '>', $students * $items, 'an export has them all');
    $t->ok_says('moodle', 'a peer goes on beside them', fetch_user => { username => 'late', idnumber => 'late' });
};

done_testing;
