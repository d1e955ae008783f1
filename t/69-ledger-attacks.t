#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Peers that want more than they may: another's sections, another's users, a way in past the
# administrator; spreadsheets and answers that are odd; and the ledger's manual, done as it says.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Mnet::School;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $t = Mnet::School->start(peers => { a => { style => 'moodle' }, b => { style => 'moodle' },
        guest => { style => 'moodle', section => { MnetPublish => 'sso_idp sso_sp mnet_enrol' } } });
my $site = $t->site;
$t->first_class('a');

sub asks {
    my ($name, $method, @params) = @_;
    return $t->peer($name)->call($site, "enrol/mnet/enrol.php/$method", \@params);
}

sub sheet {
    my ($text, @args) = @_;
    my $file = $t->harness->root . '/sheet.csv';
    Mnet::Harness::write_file($file, encode_utf8($text));
    return $t->ledger('import', $file, @args);
}

sub errors { return join ' | ', map { "$_->{line} $_->{column}: $_->{message}" } @{ $_[0]{json}{error}{errors} || [] } }

# Signs on at a peer that says this of them; the status of what they see.
sub lands {
    my ($name, $username, %says) = @_;
    my $peer = $t->peer($name);
    $peer->user($username, firstname => 'X', lastname => 'Y', email => 'x@example.org');
    $peer->set(identity => \%says);
    my $status = $t->sign_on($name, $username)->{status};
    $peer->set(identity => undef);
    return $status;
}

sub is_known {
    my ($username) = @_;
    return Mnet::Harness::wait_for(
        sub { grep { ($_->{username} // '') eq $username } @{ $t->ledger(qw(export --what people))->{json}{people} } });
}

# --- what is whose -------------------------------------------------------------------------------

subtest 'a section made by hand that a peer has joined is that peer\'s' => sub {
    $t->ledger('add-section', 'Rudern', '--idnumber', 'row');
    $t->ok_says('b', 'somebody of the other', fetch_user => { username => 'mallory', idnumber => '666' });
    $t->ok_says('b', 'as long as nobody has joined it, either may write in it', new_enrolment => { sectionid => 'row', userid => '666', role => 'student' });
    $t->ok_says('a', 'one joins it', new_section => { name => 'Rudern', idnumber => 'row' });
    $t->refuses('b', 'the other enrols nobody there', 5012, 'sectionid', new_enrolment => { sectionid => 'row', userid => '666', role => 'teacher' });
    $t->refuses('b', '  withdraws nobody', 5012, 'sectionid', withdraw_enrolment => { sectionid => 'row', userid => '666' });
    $t->refuses('b', '  and adds no assessment', 5012, 'sectionid', new_assessment => { sectionid => 'row', name => 'X', idnumber => 'x', pointval => 1 });
    $t->ok_says('a', 'the one does', new_enrolment => { sectionid => 'row', userid => '1234457', role => 'student' });
};

subtest 'mnet_enrol takes out only whom the same site has enrolled' => sub {
    $t->ledger('add-section', 'Chor', '--idnumber', 'chor');
    $t->ok_says('b', 'alice is known at both', fetch_user => { username => 'alice_b', idnumber => '1234457' });
    my ($chor) = map { $_->{remoteid} } grep { $_->{idnumber} eq 'chor' } @{ asks('a', 'available_courses')->{result} };
    ok(asks('a', 'enrol_user', { username => 'alice', firstname => 'Alice', lastname => 'L', email => 'a@example.org' }, "$chor")->{result}, 'enrolled by one');
    ok(asks('b', 'unenrol_user', 'alice_b', "$chor")->{result}, 'taken out by the other, which is no fault');
    is($t->report('1234457')->{Chor}{status}, 'active', '  but nothing happened');
    ok(asks('a', 'unenrol_user', 'alice', "$chor")->{result}, 'taken out by the one');
    is($t->report('1234457')->{Chor}{status}, 'withdrawn', '  and is');
};

subtest 'an idnumber of one peer does not stand for a username of another' => sub {
    $t->ok_says('a', 'paul has no idnumber', fetch_user => { username => 'paul', firstname => 'Paul', lastname => 'A' });
    $t->ok_says('b', 'the other has somebody with the idnumber paul', fetch_user => { username => 'evil', idnumber => 'paul', firstname => 'Evil', lastname => 'B' });
    $t->ok_says('a', 'paul is enrolled', new_enrolment => { sectionid => '197423', userid => 'paul', role => 'student' });
    my @names = map { $_->{name} } @{ $t->ledger('show', '197423')->{json}{people} };
    is((scalar grep { $_ eq 'Paul A' } @names), 1, '  he is there') or diag "@names";
    is((scalar grep { $_ eq 'Evil B' } @names), 0, '  and the other is not');
};

subtest 'a code and a note by hand outlive a peer that repeats itself' => sub {
    my %out = (sectionid => '197423', userid => '2347234', code => 'M1', note => 'from there');
    $t->ok_says('a', 'the withdrawal travels', withdraw_enrolment => \%out);
    $t->ledger(qw(withdraw 2347234 197423 --code W2 --note), 'Moved away');
    $t->ok_says('a', '  and again', withdraw_enrolment => \%out);
    my $bob = $t->report('2347234')->{'Algebra 1'};
    is("$bob->{code} $bob->{note}", 'W2 Moved away', 'what the counsellor wrote stays');
};

# --- ways in -------------------------------------------------------------------------------------

subtest 'a username that comes and goes opens no door' => sub {
    is(lands('a', 'nina'), 200, 'nina signs on');
    ok(is_known('nina'), '  and is in the ledger');
    $t->ok_says('a', 'then she is imported', fetch_user => { username => 'nina', idnumber => 'N1' });
    is($t->ledger('deny', 'N1')->{exit}, 0, 'and an administrator shuts her out');
    $t->ok_says('a', 'her site renames her', fetch_user => { username => 'nina2', idnumber => 'N1' });
    is(lands('a', 'nina2'), 403, '  her new name');
    is(lands('a', 'nina'), 403, '  her old name');
    $t->ok_says('a', 'and renames her back', fetch_user => { username => 'nina', idnumber => 'N1' });
    is(lands('a', 'nina'), 403, '  her name');
    $t->ok_says('a', 'two with one idnumber', fetch_user => { username => $_, idnumber => 'D' }) for qw(dup1 dup2);
    is(lands('a', 'dup1'), 403, '  the first');
    is(lands('a', 'dup2'), 403, '  the second');
    $t->ledger('add-person', '--username', 'dup1', '--peer', $t->peer('a')->wwwroot, '--allow');
    is(lands('a', 'dup1'), 200, 'an administrator gives such a name to somebody');
};

subtest 'nor does another username with the same idnumber' => sub {
    $t->ok_says('a', 'ali is imported', fetch_user => { username => 'ali', idnumber => 'AL1' });
    is(lands('a', 'alicia', idnumber => 'AL1'), 403, 'renamed at home, before we are told');
    is(lands('a', 'alicia', idnumber => ' AL1 '), 403, '  with spaces');
    is(lands('b', 'ali_b', idnumber => 'AL1'), 403, 'from a second site');
    is(lands('guest', 'ali_c', idnumber => 'AL1'), 200, 'a site with no say in who is who: a stranger');
    $t->ledger('allow', 'AL1');
    is(lands('a', 'alicia', idnumber => 'AL1'), 200, 'once they are let in, the new name is good');
    is(lands('b', 'ali_b', idnumber => 'AL1'), 200, '  and so is the second site');
    $t->ledger('add-person', '--idnumber', 'OURS', '--username', 'carol');
    is(lands('b', 'carol_b', idnumber => 'OURS'), 200, 'who was entered by hand, as a user of ours, is not imported');
    is(lands('b', 'newcomer', idnumber => 'nobody-yet'), 200, 'whose idnumber nobody has told comes in as ever');
};

# --- what is odd ---------------------------------------------------------------------------------

subtest 'a peer that contradicts itself' => sub {
    my $sync = sub { return $t->ledger('sync', $t->peer('a')->wwwroot)->{json} };
    $t->moodle('a', users => { alice => [map { { sectionid => '197423', role => 'student', status => $_ } } qw(active withdrawn)] });
    $sync->();
    my $again = $sync->();
    is_deeply([@{$again}{qw(added changed)}], [0, 0], 'two words about one enrolment: a second run changes nothing') or diag explain $again;
    $t->moodle('a', users => { alice => [map { { sectionid => "lie-$_", role => 'student' } } 1 .. 20_000] });
    is($sync->()->{added}, 40_000, '20,000 sections for one user');
    my $started = time;
    is($sync->()->{same}, 20_000, '  once');
    cmp_ok(time - $started, '<', 5, '  in no time to speak of');
    $t->moodle('a', users => {});
};

subtest 'a Moodle has room for the courses we offer' => sub {
    is($t->ledger('add-section', 'Ω' x 255, '--idnumber', 'ß' x 255)->{exit}, 0, 'a section with a long name');
    my ($course) = grep { $_->{fullname} =~ /^Ω/ } @{ asks('a', 'available_courses')->{result} };
    is_deeply([map { length $course->{$_} } qw(fullname shortname idnumber)], [127, 50, 50], '  is cut to the bytes that it keeps');
};

subtest 'a peer that tells ever more of one person' => sub {
    my $store = $t->harness->state_dir . '/data.mdb';
    my $before = -s $store;
    for my $k (1 .. 25) {
        $t->ok_says('a', 'a hundred more fields', fetch_user => { username => 'grow', idnumber => 'grow', map { ("k$k-$_" => 'y' x 600) } 1 .. 99 });
    }
    cmp_ok((-s $store) - $before, '<', 10_000_000, 'the record does not grow with them');
    my $names = $t->says('a', synchronise => { users => [map { ({ username => "many$_" }, { username => "many$_", idnumber => 'many' }) } 1 .. 150] });
    like($names->{fault}{text} // '', qr/^users\[\d+\]\.idnumber: "many" has 100 usernames already/, 'nor with usernames');
    is($t->ledger('export')->{exit}, 0, '  and everything can be read');
};

subtest 'names that cannot be shown are refused' => sub {
    $t->refuses('a', 'a line in a name', 7201, 'lastname', fetch_user => { username => 'odd', lastname => "two\nlines" });
    $t->refuses('a', 'a long one', 7201, 'firstname', fetch_user => { username => 'odd', firstname => 'x' x 256 });
    my $name = qq{\\"/\x{2028}\x{1F600}'};
    $t->ok_says('a', 'any other', fetch_user => { username => 'odd', idnumber => 'odd', lastname => $name });
    is((grep { ($_->{idnumber} // '') eq 'odd' } @{ $t->ledger(qw(export --what people))->{json}{people} })[0]{lastname}, $name, '  is valid JSON');
};

subtest 'what is written as CSV is read as it was' => sub {
    my %names = (c1 => "'=x", c2 => '=x', c3 => "''-x", c4 => "'x", c5 => '@', c6 => "'", c7 => 'a"b;c,d', c8 => "+'=");
    $t->ledger('add-person', '--idnumber', $_, '--last', $names{$_}) for sort keys %names;
    my $csv = decode_utf8($t->harness->mnetctl(qw(ledger export --format csv --what people))->{out});
    my $here = sub { return { map { $_->{idnumber} => $_->{lastname} } grep { $names{ $_->{idnumber} // '' } } @{ $t->ledger(qw(export --what people))->{json}{people} } } };
    is_deeply($here->(), \%names, 'entered');
    is(sheet($csv, '--what', 'people')->{exit}, 0, 'an export is imported');
    is_deeply($here->(), \%names, '  and nobody is called otherwise');
    unlike($csv, qr/(?:^|,)"?[=+@]/m, '  with no formula in it');
};

subtest 'spreadsheets of this world' => sub {
    is(sheet("sep=;\r\nidnumber;lastname\r\ns1;Ö\r\n")->{json}{added}, 1, 'a first line that names the separator');
    is(errors(sheet("sep=;\nidnumber;lastname\ns1;Ö;x\n")), '3 3: there are more cells than the first line has columns', '  is counted');
    is(sheet("idnumber,lastname\ns2,X,,,\n")->{json}{added}, 1, 'empty cells behind the last column');
    is(errors(sheet("user,Quiz,Quiz\n1234457,1,2\n", '--what', 'gradebook', '--section', '197423')), '1 Quiz: the column is there twice', 'an assessment twice in a gradebook');
};

subtest 'a date that is none' => sub {
    is($t->ledger('report', '--student', '1234457', '--date', $_)->{exit}, 2, $_) for '2026-02-30', '2026- 1- 1', '2026-04-31T10:00:00Z';
    is($t->ledger('report', '--student', '1234457', '--date', $_)->{exit}, 0, $_) for '2028-02-29', '2026-12-31T23:59:59Z';
};

# --- the manual ----------------------------------------------------------------------------------

subtest 'docs/ledger.md: by hand, as it says' => sub {
    my $fresh = Mnet::School->start;
    my ($part) = Mnet::Harness::slurp("$Bin/../docs/ledger.md") =~ /^## By hand\n\n((?:    .*\n)+)/m;
    my @lines = $part =~ /^    mnetctl (.*)$/mg;
    cmp_ok(scalar @lines, '>', 5, 'there are commands');
    for my $line (@lines) {
        my @words = map { s/^"|"$//gr } $line =~ /("[^"]*"|\S+)/g;
        my $got = $fresh->harness->mnetctl(@words);
        is($got->{exit}, 0, $line) or diag $got->{err};
    }
    is($fresh->report('1234457')->{Woodwork}{percent}, 100 * 27.5 / 30, 'and it is in the report');
    $fresh->harness->stop;
};

done_testing;
