#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The methods of the school ledger: what a peer tells is entered once, with its history; what is wrong
# is a fault that names the field, and nothing of it is entered.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Mnet::School;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $t = Mnet::School->start(styles => [qw(moodle moodle-old)], peers => {
        closed => { style => 'moodle', section => { MnetPublish => 'sso_idp', MnetSubscribe => 'sso_idp' } } });
my @order = qw(people sections enrolments assessments grades history);
sub counts { my $now = $t->counts; return join ' ', @{$now}{@order} }

subtest 'each method' => sub {
    $t->first_class('moodle');
    is(counts(), '3 1 3 1 0 8', 'three people, a section, its assessment');
    my %grade = (assessmentid => '73743734', userid => '1234457', points_earned => 62, excepted => $false, attempt_num => 1);
    $t->ok_says('moodle', 'a grade', new_grade => \%grade);
    $t->ok_says('moodle', 'the second attempt', new_grade => { %grade, attempt_num => 2, points_earned => 65.5 });
    $t->ok_says('moodle', 'an excepted one needs no points', new_grade => { assessmentid => '73743734', userid => '2347234', excepted => $true });
    my $got = $t->says('moodle', list_user_enrolments => 'alice');
    is_deeply($got->{result}, [{ sectionid => '197423', name => 'Algebra 1', role => 'student', status => 'active' }], 'list_user_enrolments');
    my $section = $t->report('1234457')->{'Algebra 1'};
    is($section->{term}, 'Term 1', 'the report: the term');
    is_deeply($section->{teachers}, ['Ms Gray'], '  the teacher');
    is($section->{assessments}[0]{grade}{points}, 65.5, '  the last attempt counts');
    is($section->{assessments}[0]{others}[0]{points}, 62, '  and the other is there');
    is($t->report('bob')->{'Algebra 1'}{assessments}[0]{grade}{excepted}, $true, '  excepted');
    is($t->report('alice')->{'Algebra 1'}{percent}, 100 * 65.5 / 68, '  together');
};

subtest 'the same again changes nothing' => sub {
    my $before = counts();
    $t->first_class('moodle');
    $t->ok_says('moodle', 'a grade', new_grade => { assessmentid => '73743734', userid => '1234457', points_earned => 62, attempt_num => 1 });
    $t->ok_says('moodle', 'as a text', new_grade => { assessmentid => 73743734, userid => 1234457, points_earned => '62.0', attempt_num => '1', excepted => '0' });
    is(counts(), $before, 'not even an entry of the history');
};

subtest 'numbers, texts and truths as PHP mixes them' => sub {
    $t->ok_says('moodle', 'ids as numbers', new_section => { name => 'Physics', idnumber => 55, segment => '2' });
    $t->ok_says('moodle', 'truths as numbers and texts', new_assessment => { sectionid => '55', name => 'Lab', idnumber => 900,
        chapternum => '1', honors_required => 1, nonhonors_required => '0', extra_credit => '', pointval => '10' });
    $t->ok_says('moodle', 'null is as if it were not there', new_section => { name => 'Physics', idnumber => '55', teacheridnumber => undef, segment => undef });
    $t->ok_says('moodle', 'several terms', new_section => { name => 'Physics', idnumber => '55', segment => [2, 3] });
    $t->ok_says('moodle-old', "any script, from a Moodle before 4.1", fetch_user => { username => 'ōkami', firstname => '狼', lastname => '😀 Łukasz', idnumber => '77' });
    ok((grep { ($_->{lastname} // '') eq '😀 Łukasz' && $_->{firstname} eq '狼' } @{ $t->ledger(qw(export --what people))->{json}{people} }), '  arrives whole');
    is((grep { $_->{section} eq '55' } @{ $t->ledger(qw(export --what sections))->{json}{sections} })[0]{terms}, '2 3', 'the terms of a section add up');
};

subtest 'what is wrong is named, and nothing is entered' => sub {
    my $before = counts();
    my %section = (name => 'X', idnumber => '1', teacheridnumber => '987234', segment => 1);
    my %enrolment = (sectionid => '197423', userid => '1234457', role => 'student');
    my %item = (sectionid => '197423', name => 'X', idnumber => '1', chapternum => 1, pointval => 5);
    my %grade = (assessmentid => '73743734', userid => '1234457', points_earned => 1, excepted => $false, attempt_num => 1);
    my $megabyte = 'x' x 1_000_000;
    for my $case (
        ['no username', 7201, 'username', fetch_user => { idnumber => '5' }],
        ['a username that is a path', 7201, 'username', fetch_user => { username => '../x' }],
        ['a username of a megabyte', 7201, 'username', fetch_user => { username => $megabyte }],
        ['an idnumber of a megabyte', 7201, 'idnumber', fetch_user => { username => 'x', idnumber => $megabyte }],
        ['a field of a megabyte', 7201, 'ircnick', fetch_user => { username => 'x', ircnick => $megabyte }],
        ['a hash of a megabyte', 7201, 'password_hash', fetch_user => { username => 'x', password_hash => $megabyte }],
        ['a list for a name', 7201, 'firstname', fetch_user => { username => 'x', firstname => ['a'] }],
        ['a line in an idnumber', 7201, 'idnumber', fetch_user => { username => 'x', idnumber => "1\n2" }],
        ['150 fields', 7201, 'userdata', fetch_user => { username => 'x', map { ("f$_" => 'x') } 1 .. 150 }],
        ['no name of a section', 7201, 'name', new_section => { %section, name => '' }],
        ['no idnumber', 7201, 'idnumber', new_section => { name => 'X' }],
        ['an unknown teacher', 5014, 'teacheridnumber', new_section => { %section, teacheridnumber => 'nobody' }],
        ['a term that is no number', 7201, 'segment', new_section => { %section, segment => 'spring' }],
        ['a negative term', 7201, 'segment', new_section => { %section, segment => -1 }],
        ['a name of a megabyte', 7201, 'name', new_section => { %section, name => $megabyte }],
        ['an unknown section', 5012, 'sectionid', new_enrolment => { %enrolment, sectionid => 'none' }],
        ['an unknown user', 5014, 'userid', new_enrolment => { %enrolment, userid => 'nobody' }],
        ['another role', 7201, 'role', new_enrolment => { %enrolment, role => 'janitor' }],
        ['no role', 7201, 'role', new_enrolment => { sectionid => '197423', userid => '1234457' }],
        ['another status', 7201, 'status', new_enrolment => { %enrolment, status => 'asleep' }],
        ['a truth for a section', 7201, 'sectionid', new_enrolment => { %enrolment, sectionid => $true }],
        ['a struct for a section', 7201, 'sectionid', new_enrolment => { %enrolment, sectionid => { a => 1 } }],
        ['a withdrawal of who is not in', 7204, 'userid', withdraw_enrolment => { %enrolment, role => 'teacher' }],
        ['an active withdrawal', 7201, 'status', withdraw_enrolment => { %enrolment, status => 'active' }],
        ['an assessment of no section', 5012, 'sectionid', new_assessment => { %item, sectionid => '0' }],
        ['points that are no number', 7201, 'pointval', new_assessment => { %item, pointval => 'ten' }],
        ['negative points', 7201, 'pointval', new_assessment => { %item, pointval => -5 }],
        ['no points', 7201, 'pointval', new_assessment => { sectionid => '197423', name => 'X', idnumber => '1' }],
        ['a truth of 2', 7201, 'extra_credit', new_assessment => { %item, extra_credit => 2 }],
        ['the idnumber of another section', 7205, 'idnumber', new_assessment => { %item, sectionid => '55', idnumber => '73743734' }],
        ['an unknown assessment', 7202, 'assessmentid', new_grade => { %grade, assessmentid => 'none' }],
        ['a grade of an unknown user', 5014, 'userid', new_grade => { %grade, userid => 'nobody' }],
        ['a grade of who is not in', 7204, 'userid', new_grade => { %grade, userid => '987234' }],
        ['a grade over the points', 7203, 'points_earned', new_grade => { %grade, points_earned => 68.5 }],
        ['a negative grade', 7201, 'points_earned', new_grade => { %grade, points_earned => -1 }],
        ['a grade that is no number', 7201, 'points_earned', new_grade => { %grade, points_earned => 'A+' }],
        ['a grade that is infinite', 7201, 'points_earned', new_grade => { %grade, points_earned => 'inf' }],
        ['a truth for a grade', 7201, 'points_earned', new_grade => { %grade, points_earned => $true }],
        ['no points at all', 7201, 'points_earned', new_grade => { assessmentid => '73743734', userid => '1234457' }],
        ['attempt -1', 7201, 'attempt_num', new_grade => { %grade, attempt_num => -1 }],
        ['attempt 2^40', 7201, 'attempt_num', new_grade => { %grade, attempt_num => '1099511627776' }],
        ['no struct', 7201, 'gradedata', new_grade => 'x'],
        ['a list', 7201, 'userdata', fetch_user => ['x']],
        ['enrolments of nobody', 5014, 'user', list_user_enrolments => 'nobody'],
    ) {
        $t->refuses('moodle', @$case);
    }
    my $none = $t->peer('moodle')->call($t->site, 'mod/schooltool/rpclib.php/new_grade', []);
    is($none->{fault}{code}, 7000, 'no parameter at all');
    is(counts(), $before, 'nothing was entered');
    ok((grep { /MNET1130.*points_earned/ } $t->lines), 'and the log says what was refused');
};

subtest 'a replay of what was refused does nothing later' => sub {
    my $peer = $t->peer('moodle');
    my $body = $peer->body($t->site, 'mod/schooltool/rpclib.php/new_enrolment', [{ sectionid => 'later', userid => '1234457', role => 'student' }]);
    $t->post($body);
    $t->ok_says('moodle', 'the section is there now', new_section => { name => 'Later', idnumber => 'later' });
    my $before = counts();
    $t->post($body);
    is(counts(), $before, 'the copy enrols nobody');
};

subtest 'who may' => sub {
    my $got = $t->says('closed', fetch_user => { username => 'x' });
    is($got->{fault}{code}, 7012, 'a peer without the service is refused');
    my $list = $t->peer('moodle')->call($t->site, 'system/listMethods', ['schooltool'])->{result};
    is_deeply([sort map { m{([^/]+)$} } @$list], [sort qw(fetch_user new_section new_enrolment withdraw_enrolment new_assessment
        new_grade list_user_enrolments synchronise)], 'the methods are listed');
    my $signature = $t->peer('moodle')->call($t->site, 'system/methodSignature', ['mod/schooltool/rpclib.php/new_grade'])->{result};
    is($signature->{parameters}[0]{type}, 'struct', '  with their signature');
};

subtest 'two peers: nobody takes the other for their own' => sub {
    $t->ok_says('moodle-old', 'the same username, another person', fetch_user => { username => 'alice', firstname => 'Alice', lastname => 'Other', idnumber => '4711' });
    $t->ok_says('moodle-old', 'the same idnumber, the same person', fetch_user => { username => 'robert', firstname => 'Rob', lastname => 'K', idnumber => '2347234' });
    my $people = $t->ledger(qw(export --what people))->{json}{people};
    is((scalar grep { ($_->{username} // '') eq 'alice' } @$people), 2, 'two of the name alice');
    my @bob = grep { ($_->{idnumber} // '') eq '2347234' } @$people;
    is_deeply([sort map { $_->{username} } @bob], ['bob', 'robert'], 'one bob, known by two names');
    is($bob[0]{firstname}, 'Bob', '  called as he was first');
    my $got = $t->ledger(qw(report --student alice));
    is($got->{exit}, 1, '"alice" alone says not who');
    like($got->{json}{error}{message}, qr/several.*username\@site/, '  and the tool says what to write');
    (my $at = $t->peer('moodle-old')->wwwroot) =~ s{^http://}{};
    is($t->ledger('report', '--student', "alice\@$at")->{json}{student}{idnumber}, '4711', '  alice@site does');
    $t->refuses('moodle-old', "another peer's section is none of theirs", 5012, 'sectionid', new_enrolment => { sectionid => '197423', userid => '4711', role => 'student' });
    $t->refuses('moodle-old', "another peer's assessment neither", 7202, 'assessmentid', new_grade => { assessmentid => '73743734', userid => '1234457', points_earned => 1 });
    $t->ok_says('moodle-old', 'a section with the same idnumber', new_section => { name => 'Alchemy', idnumber => '197423' });
    is_deeply([sort map { $_->{name} } grep { $_->{section} eq '197423' } @{ $t->ledger(qw(export --what sections))->{json}{sections} }],
        ['Alchemy', 'Algebra 1'], '  is another one');
};

subtest 'passwords go nowhere' => sub {
    my $hash = 'd41d8cd98f00b204e9800998ecf8427e';
    $t->ok_says('moodle', 'a user with a hash', fetch_user => { username => 'carol', idnumber => '31', firstname => 'Carol', lastname => 'C',
        password_hash => $hash, password_hash_algorithm => 'md5', Password => 'geheim-9', ircnick => 'cc' });
    my $export = $t->ledger('export')->{out};
    unlike($export, qr/\Q$hash\E|geheim-9/, 'not into the export');
    unlike($t->log_text, qr/\Q$hash\E|geheim-9/, 'not into the log');
    open my $in, '<:raw', $t->harness->state_dir . '/data.mdb' or die $!;
    my $store = do { local $/; <$in> };
    ok(index($store, $hash) < 0 && index($store, 'geheim-9') < 0, 'not into the store');
    ok(index($store, 'cc') > 0, '  which was looked at');
};

subtest 'all in one call' => sub {
    my $all = { users => [map { { username => "s$_", idnumber => "9$_", firstname => "S$_", lastname => 'X' } } 1 .. 20],
        sections => [{ name => 'Music', idnumber => 'mu', segment => 1 }],
        enrolments => [map { { sectionid => 'mu', userid => "9$_", role => 'student' } } 1 .. 20],
        assessments => [{ sectionid => 'mu', name => 'Song', idnumber => 'so', pointval => 10 }],
        grades => [map { { assessmentid => 'so', userid => "9$_", points_earned => $_ / 2 } } 1 .. 20] };
    my $before = counts();
    my $broken = { %$all, grades => [@{ $all->{grades} }[0 .. 4], { assessmentid => 'so', userid => '96', points_earned => 11 }] };
    $t->refuses('moodle', 'one wrong grade', 7203, 'grades[5].points_earned', synchronise => $broken);
    is(counts(), $before, '  and nothing of the rest is entered');
    my $got = $t->says('moodle', synchronise => $all)->{result};
    is($got->{added}, 62, 'everything is added') or diag explain $got;
    is($t->grades('920', 'Music')->{Song}, 10, '  and there');
    $before = counts();
    $got = $t->says('moodle', synchronise => $all)->{result};
    is_deeply([@{$got}{qw(added changed same)}], [0, 0, 62], 'again: nothing is new');
    is(counts(), $before, '  nothing is written');
    $all->{grades}[0]{points_earned} = 9;
    $got = $t->says('moodle', synchronise => $all)->{result};
    is_deeply([@{$got}{qw(added changed same)}], [0, 1, 61], 'one grade changed there');
    like($got->{changes}[0], qr/grade of 91 in so/, '  and that is told');
};

subtest 'MnetLedger that is wrong is refused' => sub {
    require Mnet::Harness;
    for my $case (['Maybe', qr/On or Off goes first/], ['Off prefix=x', qr/nothing goes behind Off/], ['On prefix=/a/b', qr/begins no name of a method/],
        ['On prefix=a/b/', qr/without a slash at an end/], ['On prefix=system/x', qr/begins no name/], ['On prefix=', qr/begins no name/], ['On service=a/b', qr/no name of a service/],
        ['On service=system', qr/no name of a service/], ['On colour=red', qr/'colour=red' is not understood.*as in MnetLedger On/]) {
        my $h = Mnet::Harness->new(config => "MnetLedger $case->[0]\n");
        my ($exit, $said) = $h->configtest;
        isnt($exit, 0, "MnetLedger $case->[0]");
        like($said, $case->[1], '  and a sentence says why');
    }
    my $h = Mnet::Harness->new(sites => 2, config => "MnetLedger On prefix=local/school service=school\n", site_config => ['', "MnetLedger Off\n"]);
    $h->start;
    my ($on, $off) = map { $h->mnetctl('--json', '-w', $h->wwwroot($_), 'ledger', 'status') } 0, 1;
    is(decode_json($on->{out})->{prefix}, 'local/school', 'a virtual host has the server\'s');
    is($off->{exit}, 1, '  unless it says another');
    $h->stop;
};

# --- sign-on -------------------------------------------------------------------------------------

sub login_of {
    my ($username) = @_;
    my ($row) = grep { ($_->{username} // '') eq $username && ($_->{peer} // '') eq $t->peer('moodle')->wwwroot }
        @{ $t->ledger(qw(export --what people))->{json}{people} };
    return $row;
}

subtest 'imported users stay outside until an administrator lets them in' => sub {
    my $peer = $t->peer('moodle');
    $peer->user($_, firstname => ucfirst $_, lastname => 'X', email => "$_\@example.org") for qw(alice bob zoe);
    is(login_of('alice')->{may_log_in}, $false, 'alice was imported');
    $t->mark;
    my $got = $t->sign_on('moodle', 'alice');
    is($got->{status}, 403, '  and may not come in');
    like($got->{content}, qr/nobody here has let you in yet/, '  the page says so');
    ok((grep { /MNET1132.*mnetctl ledger allow/ } $t->lines), '  and the log says what to do');
    is_deeply($t->ctl('sessions', 'list')->{json}{sites}[0]{sessions}, [], '  no session was made');
    is($t->ledger('allow', '1234457')->{exit}, 0, 'an administrator allows it');
    is($t->told($t->sign_on('moodle', 'alice'))->{MNET_USERNAME}, 'alice', '  and in they come');
    $t->ok_says('moodle', 'Moodle tells of her again', fetch_user => { username => 'alice', firstname => 'Alice', lastname => 'Å', idnumber => '1234457' });
    is(login_of('alice')->{may_log_in}, $true, '  which takes nothing away');
    my $browser = $t->visitor;
    $t->sign_on('moodle', 'alice', '/app', $browser);
    is($t->ledger('deny', '1234457')->{exit}, 0, 'the administrator takes it back');
    is($browser->get($t->site . '/app', Accept => '*/*')->{status}, 401, '  and the session is over');
    is($t->sign_on('moodle', 'alice')->{status}, 403, '  and no new one is made');
    is($t->ledger('allow', 'bob', '--peer', 'http://elsewhere.example')->{exit}, 1, 'there is nobody of that name elsewhere');
    is($t->sign_on('moodle', 'bob')->{status}, 403, 'a right for elsewhere is none for here');
    $t->ok_says('moodle', 'a username changes hands', fetch_user => { username => 'bob', firstname => 'Bob', lastname => 'Second', idnumber => '31415' });
    $t->ledger('allow', '2347234');
    is($t->sign_on('moodle', 'bob')->{status}, 403, '  and with it no right');
};

subtest 'an unknown user signs on' => sub {
    my $peer = $t->peer('moodle');
    $t->moodle('moodle', users => { zoe => [{ sectionid => '197423', role => 'student' }, { sectionid => 'new-1', name => 'Zoology', role => 'student' }] });
    is($t->told($t->sign_on('moodle', 'zoe'))->{MNET_USERNAME}, 'zoe', 'who is not in the ledger comes in');
    ok(Mnet::Harness::wait_for(sub { login_of('zoe') && keys %{ $t->report('zoe') } == 2 }), 'their enrolments are fetched at once');
    is_deeply([sort keys %{ $t->report('zoe') }], ['Algebra 1', 'Zoology'], '  of sections known and not');
    is(login_of('zoe')->{lastname}, 'X', '  with their name');
    is(login_of('zoe')->{may_log_in}, $true, '  and they may come again');
    is($t->sign_on('moodle', 'zoe')->{status}, 200, '  and do');
    $t->ok_says('moodle', 'then they are imported', fetch_user => { username => 'zoe', firstname => 'Zoe', lastname => 'X', idnumber => '2718' });
    is($t->sign_on('moodle', 'zoe')->{status}, 200, '  and are still let in');
    is_deeply([sort keys %{ $t->report('2718') }], ['Algebra 1', 'Zoology'], '  as the same person');
};

subtest 'a site that is slow or down hinders nobody' => sub {
    my $peer = $t->peer('moodle');
    $peer->user($_, firstname => ucfirst $_, lastname => 'X', email => "$_\@example.org") for qw(yan xia);
    $t->moodle('moodle', users => { yan => [{ sectionid => '197423', role => 'student' }] }, slow => 4);
    my $started = time;
    is($t->sign_on('moodle', 'yan')->{status}, 200, 'a site that takes its time over the list');
    cmp_ok(time - $started, '<', 4, '  does not delay the landing');
    ok(Mnet::Harness::wait_for(sub { login_of('yan') }), '  and the user is in the ledger');
    ok(Mnet::Harness::wait_for(sub { keys %{ $t->report('yan') } == 1 }), '  the enrolments come when they come');
    $t->moodle('moodle', users => {});
    $t->mark;
    is($t->sign_on('moodle', 'xia')->{status}, 200, 'a site that does not know them');
    ok(Mnet::Harness::wait_for(sub { grep { /MNET1144/ } $t->lines }), '  is a line in the log');
};

subtest 'a synchronisation with a site that talks nonsense' => sub {
    my $peer = $t->peer('moodle');
    my $before = counts();
    my $sync = sub { return $t->ledger('sync', $peer->wwwroot) };
    for my $case (['a text for a list', 'nothing here'], ['texts in the list', ['a', 'b']], ['no section', [{ role => 'student' }]],
        ['a section of a megabyte', [{ sectionid => 'x' x 1_000_000, role => 'student' }]], ['a status', [{ sectionid => '197423', status => 'asleep' }]]) {
        $t->moodle('moodle', users => { zoe => $case->[1] });
        my $got = $sync->();
        is($got->{exit}, 0, "$case->[0]: the others are not left out");
        ok((grep { /enrolments of zoe|list_user_enrolments/ } @{ $got->{json}{notes} }), '  it is noted') or diag $got->{out};
    }
    is(counts(), $before, 'nothing was entered');
    $t->moodle('moodle', users => { zoe => [{ sectionid => '197423', role => 'student' }, { sectionid => 'new-1', role => 'editingteacher' }, { sectionid => '197423', role => 'manager' }] });
    is($sync->()->{json}{added}, 1, 'an editing teacher is one, a manager is passed over');
    $t->moodle('moodle', users => {}, everything => { grades => [{ assessmentid => 'none', userid => '1', points_earned => 1 }] });
    like($sync->()->{json}{notes}[0], qr/list_everything: grades\[0\]\.assessmentid: no assessment "none"/, 'a mistake in all of it is named');
    $peer->set(lie => 'garbage');
    my $got = $sync->();
    is($got->{exit}, 1, 'a site that answers rubbish');
    is($got->{json}{error}{kind}, 'trust', '  is told');
    $peer->set(lie => undef);
    is($t->ledger('sync', 'http://nobody.example')->{exit}, 1, 'no such peer');
    $got = $t->ledger('sync', $t->peer('closed')->wwwroot);
    is(scalar @{ $got->{json}{notes} }, 2, 'a peer that we subscribe to nothing of: two notes');
};

subtest 'an account by hand and one by sign-on become one' => sub {
    $t->ledger(qw(add-person --idnumber 1618 --first Wu --last Wei));
    is($t->ledger('enrol', '1618', '197423')->{exit}, 1, 'two sections have that idnumber');
    is($t->ledger('enrol', '1618', 'Algebra 1')->{exit}, 0, '  but not that name');
    $t->peer('moodle')->user('wu', firstname => 'Wu', lastname => 'W', email => 'wu\@example.org');
    $t->moodle('moodle', users => { wu => [{ sectionid => 'new-1', role => 'student' }] });
    $t->sign_on('moodle', 'wu');
    ok(Mnet::Harness::wait_for(sub { login_of('wu') && keys %{ $t->report('wu') } == 1 }), 'met without an idnumber');
    $t->ok_says('moodle', 'a grade of theirs', new_assessment => { sectionid => 'new-1', name => 'Newt', idnumber => 'newt', pointval => 4 });
    $t->ok_says('moodle', '  is given', new_grade => { assessmentid => 'newt', userid => 'wu', points_earned => 3 });
    $t->ok_says('moodle', 'then told with it', fetch_user => { username => 'wu', firstname => 'Wu', lastname => 'W', idnumber => '1618' });
    is_deeply([sort keys %{ $t->report('1618') }], ['Algebra 1', 'Zoology'], 'one person with all enrolments');
    is($t->grades('1618', 'Zoology')->{Newt}, 3, '  and grades');
    is($t->report('wu')->{Zoology}{status}, 'active', '  by either name');
    is((scalar grep { ($_->{lastname} // '') =~ /^W/ && ($_->{idnumber} // '') eq '1618' } @{ $t->ledger(qw(export --what people))->{json}{people} }), 1, '  once');
};

done_testing;
