#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Remote enrolment (mnet_enrol), both roles: our users in the courses of a peer in PHP that plays
# Moodle, of today and of 1.9; and its users in the sections of our ledger.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Encode qw(encode_utf8);
use JSON::PP;
use Test::More;
use Mnet::School;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $t = Mnet::School->start(peers => {
    moodle => { style => 'moodle' }, old => { style => 'moodle-old' }, other => { style => 'moodle' },
    closed => { style => 'moodle', section => { MnetPublish => 'sso_idp', MnetSubscribe => 'sso_idp' } } });
my $site = $t->site;
my $ENROL = 'enrol/mnet/enrol.php/';

sub enrol {
    my ($name, $what, @args) = @_;
    return $t->ctl('enrol', $what, $t->peer($name)->wwwroot, map { encode_utf8($_) } @args);
}

sub asks {
    my ($name, $method, @params) = @_;
    return $t->peer($name)->call($site, "$ENROL$method", \@params);
}

# --- we are the home of users --------------------------------------------------------------------

my @courses = ({ remoteid => 12, fullname => 'Physik für Anfänger', shortname => 'PHY', idnumber => 'p1' },
    { remoteid => 13, fullname => 'Chemie', shortname => 'CHE' }, { remoteid => 14, fullname => 'Closed', open => $JSON::PP::false });

for my $style (qw(moodle old)) {
    subtest "our users in the courses of a $style" => sub {
        $t->moodle($style, courses => \@courses, old => $style eq 'old' ? 1 : 0,
            enrolments => { 12 => { carol => { host => $site, role => 'editingteacher' }, dora => { host => 'http://elsewhere.example', role => 'student' } } });
        my $got = enrol($style, 'courses');
        is_deeply([map { "$_->{remoteid} $_->{fullname}" } @{ $got->{json}{courses} }], ['12 Physik für Anfänger', '13 Chemie'], 'the courses that are offered') or diag $got->{out};
        like($t->harness->mnetctl('enrol', 'courses', $t->peer($style)->wwwroot)->{out}, qr/^\s+12\s+PHY\s+Physik f/m, '  as a table');
        is_deeply([map { "$_->{username} $_->{role}" } @{ enrol($style, 'who', 12)->{json}{enrolments} }], ['carol editingteacher'], 'our users in one, nobody else\'s');
        $got = enrol($style, 'add', 12, 'alice', '--first', 'Alice', '--last', 'Ångström', '--email', 'alice@example.org', 'city=Ōsaka');
        is($got->{exit}, 0, 'one is enrolled') or diag $got->{out};
        is_deeply($t->peer($style)->state->{school}{enrolments}{12}{alice}{profile},
            { username => 'alice', firstname => 'Alice', lastname => 'Ångström', email => 'alice@example.org', city => 'Ōsaka' }, '  with their profile');
        is_deeply([sort map { $_->{username} } @{ enrol($style, 'who', 12)->{json}{enrolments} }], ['alice', 'carol'], '  and is there');
        is(enrol($style, 'remove', 12, 'alice')->{exit}, 0, 'one is taken out');
        is_deeply([map { $_->{username} } @{ enrol($style, 'who', 12)->{json}{enrolments} }], ['carol'], '  and is gone');
        is_deeply(enrol($style, 'who', 13)->{json}{enrolments}, [], 'nobody in the other');
        $got = enrol($style, 'add', 99, 'alice');
        is($got->{exit}, 1, 'no such course');
        $style eq 'old' ? like($got->{json}{error}{message}, qr/did not do it/, '  which 1.9 answers with false')
            : is($got->{json}{error}{code}, 5012, '  is the fault of Moodle');
        is(enrol($style, 'remove', 12, 'nobody')->{exit}, 1, 'somebody unknown there');
        like(enrol($style, 'who', 99)->{json}{error}{message}, qr/has no course 99/, 'who is in no course') if $style eq 'old';
    };
}

subtest 'only true is true' => sub {
    my $peer = $t->peer('other');
    $t->moodle('other', courses => \@courses);
    for my $case (['1', 1, 1], ['"1"', '1', 1], ['"true"', 'true', 1], ['false', JSON::PP::false, 1], ['nothing', undef, 1], ['a list', [1], 1], ['true', JSON::PP::true, 0]) {
        $peer->answer("${ENROL}enrol_user", $case->[1]);
        is(enrol('other', 'add', 12, 'alice')->{exit}, $case->[2], "answered with $case->[0]: exit $case->[2]");
    }
    $peer->answer("${ENROL}available_courses", 'none');
    is(enrol('other', 'courses')->{exit}, 1, 'courses that are no list');
    $peer->answer("${ENROL}available_courses", [{ fullname => 'Nameless' }]);
    like(enrol('other', 'courses')->{json}{error}{message}, qr/no remoteid/, 'a course without its number');
    $peer->answer("${ENROL}course_enrolments", [{ shortname => 'student' }]);
    like(enrol('other', 'who', 12)->{json}{error}{message}, qr/no username/, 'an enrolment without a name (before MDL-19219)');
    $peer->change(answers => {});
    is(enrol('closed', 'courses')->{json}{error}{kind}, 'policy', 'no subscription');
    is($t->ctl('enrol', 'add', $peer->wwwroot, 12)->{exit}, 2, 'usage');
};

# --- we own the courses --------------------------------------------------------------------------

subtest 'the courses we offer' => sub {
    $t->ok_says('moodle', 'a section of theirs', new_section => { name => 'Geschichte der Öfen', idnumber => 'h1', segment => 2 });
    $t->ledger('add-section', 'Rudern', '--idnumber', 'row', '--term', '1');
    $t->ledger('term', '1', 'Herbst', '--from', '2026-09-01');
    my $list = asks('moodle', 'available_courses')->{result};
    my @members = sort qw(remoteid fullname shortname idnumber summary summaryformat sortorder startdate cat_id cat_name cat_description
        cat_descriptionformat cost currency defaultroleid defaultrolename);
    is_deeply([sort map { $_->{fullname} } @$list], ['Geschichte der Öfen', 'Rudern'], 'theirs and ours') or diag explain $list;
    is_deeply([sort keys %{ $list->[0] }], \@members, '  with all members');
    is_deeply([grep { ref } map { values %$_ } @$list], [], '  all of them texts');
    my ($row) = grep { $_->{idnumber} eq 'row' } @$list;
    is("$row->{cat_id} $row->{cat_name}", '1 Herbst', '  its term is the category');
    is($row->{startdate}, '1788220800', '    which says when it begins');
    is((grep { $_->{idnumber} eq 'h1' } @$list)[0]{cat_name}, 'Ongoing', '  what fits no term is ongoing');
    is_deeply([map { $_->{idnumber} } @{ asks('other', 'available_courses')->{result} }], ['row'], 'another peer sees ours alone');
    is(asks('closed', 'available_courses')->{fault}{code}, 7012, 'and who has no such service nothing');
    is_deeply(asks('moodle', 'user_enrolments')->{result}, [], 'user_enrolments is empty, as of Moodle');
};

subtest 'long names' => sub {
    my ($name, $number, $term) = ('x' . '漢字' x 70, 'é' x 60, 'a' . 'Ō' x 140);
    $t->ledger('add-section', encode_utf8($name), '--term', '3');
    $t->ledger('add-section', encode_utf8('ab' . $name), '--idnumber', encode_utf8($number), '--term', '3');
    $t->ledger('term', '3', encode_utf8($term));
    my %of = map { $_->{remoteid} => $_ } @{ asks('moodle', 'available_courses')->{result} };
    my ($bare, $both) = (sort { $a->{remoteid} <=> $b->{remoteid} } grep { $_->{fullname} =~ /漢/ } values %of);
    is($bare->{fullname}, 'x' . '漢字' x 42, 'as many whole characters as 254 bytes have room for');
    is($bare->{shortname}, 'x' . '漢字' x 16 . '漢', '  and 100 bytes, of a section without a number');
    is($bare->{idnumber}, '', '    which has none');
    is($both->{fullname}, 'abx' . '漢字' x 41 . '漢', '  wherever the limit falls');
    is("$both->{shortname} $both->{idnumber}", join(' ', ('é' x 50) x 2), '  a number, twice');
    is($both->{cat_name}, 'a' . 'Ō' x 127, '  a term');
};

subtest 'in and out' => sub {
    my ($row) = map { $_->{remoteid} } grep { $_->{idnumber} eq 'row' } @{ asks('moodle', 'available_courses')->{result} };
    my $alice = { username => 'alice', firstname => 'Alice', lastname => 'Ångström', email => 'alice@example.org' };
    my $got = asks('moodle', 'enrol_user', $alice, "$row");
    ok(JSON::PP::is_bool($got->{result}) && $got->{result}, 'enrolled: the boolean true') or diag explain $got;
    ok(asks('moodle', 'enrol_user', $alice, "$row")->{result}, '  and again');
    ok(asks('other', 'enrol_user', { username => 'alice', firstname => 'A', lastname => 'B', email => 'c@example.org' }, "$row")->{result}, 'another alice, of another site');
    my $who = asks('moodle', 'course_enrolments', 0 + $row)->{result};
    is(scalar @$who, 1, 'each sees their own') or diag explain $who;
    is("$who->[0]{username} $who->[0]{shortname} $who->[0]{enrol}", 'alice student mnet', '  as Moodle writes it');
    like($who->[0]{timemodified}, qr/^\d{10}$/, '  since when');
    ok(!ref $who->[0]{name} && $who->[0]{name} eq '', '  and an empty name');
    is(scalar @{ asks('moodle', 'course_enrolments', 0 + $row, 'student,teacher')->{result} }, 1, 'roles as a list of words');
    is(scalar @{ asks('moodle', 'course_enrolments', 0 + $row, ['teacher'])->{result} }, 0, '  or as an array');
    is_deeply(asks('moodle', 'course_enrolments', 4711)->{result}, [], 'no such course');
    ok(asks('moodle', 'enrol_user', { username => 'rich', firstname => 'R', lastname => 'I', description => 'x' x 20_000, interests => ['a'], icq => undef }, "$row")->{result},
        'a profile with fields that do not fit is taken without them');
    asks('moodle', 'unenrol_user', 'rich', "$row");
    my $report = $t->report('alice@' . substr $t->peer('moodle')->wwwroot, 7);
    is($report->{Rudern}{status}, 'active', 'the ledger has it');
    $got = asks('moodle', 'unenrol_user', 'alice', "$row");
    ok(JSON::PP::is_bool($got->{result}) && $got->{result}, 'taken out: the boolean true');
    is_deeply(asks('moodle', 'course_enrolments', 0 + $row)->{result}, [], '  and gone');
    is($t->report('alice@' . substr $t->peer('moodle')->wwwroot, 7)->{Rudern}{status}, 'withdrawn', '  but not from the ledger');
    $t->ledger('enrol', 'alice@' . substr($t->peer('other')->wwwroot, 7), 'row', '--role', 'teacher');
    for my $case (['no name', 5021, enrol_user => {}, "$row"], ['an empty one', 5021, enrol_user => { username => '' }, "$row"],
        ['a name that is none', 5011, enrol_user => { username => "a/b" }, "$row"], ['no such course', 5012, enrol_user => $alice, '4711'],
        ['a course of words', 5012, enrol_user => $alice, 'row'], ['nobody', 5014, unenrol_user => 'nobody', "$row"],
        ['another site\'s user', 5014, unenrol_user => 'zoe', "$row"], ['no such course to leave', 5012, unenrol_user => 'alice', '4711']) {
        my ($what, $code, @call) = @$case;
        is((asks('moodle', @call)->{fault} || {})->{code}, $code, "$what: $code");
    }
    like(asks('moodle', enrol_user => $alice, '4711')->{fault}{text}, qr{^enrol_mnet/coursenotfound$}, 'in Moodle\'s words');
    $t->ledger('add-person', '--username', 'hand', '--peer', $t->peer('moodle')->wwwroot);
    $t->ledger('enrol', 'hand', 'row');
    ok(asks('moodle', 'unenrol_user', 'hand', "$row")->{result}, 'who was enrolled by hand is not taken out remotely, which is no fault');
    is((grep { $_->{name} =~ /hand/ && $_->{status} eq 'active' } @{ $t->ledger('show', 'row')->{json}{people} }) + 0, 1, '  and stays');
    my $other = (grep { $_->{idnumber} eq 'h1' } @{ asks('moodle', 'available_courses')->{result} })[0]{remoteid};
    is((asks('other', enrol_user => $alice, $other)->{fault} || {})->{code}, 5012, "another peer's section is none of theirs");
};

subtest 'an application that is configured for it goes first' => sub {
    my $config = $t->harness->{config};
    my $nobody = Mnet::PhpPeer::free_port();
    for my $path ("${ENROL}available_courses", 'enrol/*/available_courses') {
        $t->harness->configure(config => "MnetBackend $path http://127.0.0.1:$nobody/ service=mnet_enrol\n$config");
        $t->harness->expect_log(qr/MNET11[0-2]\d/);
        $t->harness->graceful;
        is((asks('moodle', 'available_courses')->{fault} || {})->{code}, 7104, "MnetBackend $path is asked, which is down");
        is_deeply(asks('moodle', 'user_enrolments')->{result}, [], '  and the ledger answers the rest');
    }
    $t->harness->configure(config => $config);
};

subtest 'without a ledger' => sub {
    my $config = $t->harness->{config};
    (my $without = $config) =~ s/^MnetLedger On$/MnetLedger Off/m;
    $t->harness->configure(config => $without);
    $t->harness->graceful;
    is(asks('moodle', 'available_courses')->{fault}{code}, 7012, 'we answer nothing');
    is($t->says('moodle', fetch_user => { username => 'x' })->{fault}{code}, 7012, '  of the ledger either');
    is(enrol('moodle', 'courses')->{exit}, 0, 'but our users can still be enrolled at a Moodle');
    is($t->ledger('status')->{exit}, 1, 'and mnetctl says that there is none');
};

done_testing;
